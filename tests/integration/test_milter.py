# SPDX-License-Identifier: MIT
"""Whose mail roost-milter signs, with which keys, and what it answers when it
can not: over its socket, without a mail server."""
import os
import signal
import statistics
import subprocess
import time

import pytest

from lab import Daemon, wait_until
from milter_client import LEADSPC
from milter_site import (ACCEPT, Keys, client, fails_to_start, get, headers,
                         key_pair, metric, milter, reply_of, sign, signed_by)


@pytest.fixture
def keys():
    return Keys()


@pytest.fixture
def folder(lab):
    path = lab.dir / 'keys'
    path.mkdir()
    return path


def test_both_keys_sign_rsa_on_top(lab, keys, folder):
    keys.write(folder, 'example.org', 'r')
    keys.write(folder, 'example.org', 'e', 'ed25519')
    daemon = milter(lab, key_directory=folder).start()
    answer, _, message = sign(daemon)
    assert answer == ACCEPT
    assert list(keys.signatures(message).items()) == [
        ('r', ('example.org', 'rsa-sha256')),
        ('e', ('example.org', 'ed25519-sha256'))]
    assert message.startswith(b'Received: from client by us\r\nDKIM-')
    line = daemon.log.wait_for(r'.*event=dkim_signed.*')[0]
    assert 'queue=QUEUEID' in line and 'domain=example.org' in line
    assert 'selectors=rsa:r,ed25519:e' in line
    assert metric(daemon, 'roost_milter_messages_total'
                          '{outcome="signed"}') == 1
    assert metric(daemon, 'roost_milter_signatures_total'
                          '{algorithm="rsa"}') == 1
    assert 'PRIVATE' not in daemon.log.text()


def test_a_field_added_later_breaks_the_signature(lab, keys, folder):
    keys.write(folder, 'example.org', 'r')
    daemon = milter(lab, key_directory=folder).start()
    message = sign(daemon)[2]
    keys.signatures(message)
    for name in (b'From', b'Subject', b'Cc', b'Reply-To'):
        with pytest.raises(AssertionError):
            keys.signatures(name + b': x@example.com\r\n' + message)
    with pytest.raises(AssertionError):
        keys.signatures(message.replace(b'test.', b'text.'))


@pytest.mark.parametrize('address,login,signed', [
    ('127.0.0.1', None, True),
    ('::1', None, True),
    ('10.9.8.7', None, True),
    ('192.0.2.1', None, False),
    ('192.0.2.1', 'user', True),
    ('10.255.0.5', None, False),   # ingress, though inside an internal one
    ('10.255.0.5', 'user', True),
])
def test_only_submissions_are_signed(lab, keys, folder, address, login,
                                     signed):
    keys.write(folder, 'example.org', 'r')
    daemon = milter(lab, key_directory=folder,
                    internal_networks='127.0.0.0/8, ::1, 10.0.0.0/8',
                    ingress_networks='10.255.0.0/16').start()
    assert signed_by(daemon, keys, address=address, login=login) == \
        ({'r'} if signed else set())
    if not signed:
        assert metric(daemon, 'roost_milter_messages_total'
                              '{outcome="not_submission"}') == 1


def test_the_connection_is_used_again(lab, keys, folder):
    keys.write(folder, 'example.org', 'r')
    daemon = milter(lab, key_directory=folder).start()
    with client(daemon, '192.0.2.1') as connection:
        for _ in range(3):
            answer, message = connection.message(headers(), b'one\r\n', 'me')
            assert answer[0] == ACCEPT and keys.signatures(message)
            # not authenticated any more: the login was that message's
            connection.send(b'D', b'M')
            assert connection.message(headers(), b'x')[0][0] == ACCEPT
            # given up in the middle
            assert connection.mail('me')[0] == b'c'
            connection.header(b'From', b' x@example.org')
            connection.send(b'A')
    wait_until(lambda: metric(daemon, 'roost_milter_connections') == 0, 5,
               'no connections')
    assert metric(daemon, 'roost_milter_messages_active') == 0


def test_a_mail_server_that_knows_less(lab, keys, folder):
    """Without leading blanks, without no-reply events."""
    keys.write(folder, 'example.org', 'r')
    daemon = milter(lab, key_directory=folder,
                    canonicalization='simple/simple').start()
    for steps in (0, 0x3F, LEADSPC):
        with client(daemon, steps=steps) as connection:
            answer, message = connection.message(headers(), b'Hi\r\n')
            assert answer[0] == ACCEPT and 'r' in keys.signatures(message)


@pytest.mark.parametrize('fields,settings,reply', [
    ([(b'To', b' b@example.net')], {}, '550 5.6.0 The message has no From'),
    (headers() + [(b'from', b' a@example.org')], {},
     '550 5.6.0 The message has more than one From'),
    (headers(b' nobody'), {'on_unparseable_from': 'reject'},
     '550 5.6.0 The From header names no single domain'),
    (headers(b' a@ours.example'), {'domains': 'ours.example'},
     '451 4.7.5 The message cannot be signed'),
    (headers(b' a@ours.example'),
     {'domains': 'ours.example', 'on_missing_key': 'reject'},
     '550 5.7.5 The message cannot be signed'),
    (headers() + [(b'Subject', b' ' + b'x' * 1000)],
     {'on_long_line': 'reject'},
     '550 5.6.0 A line of the message is longer than 998 bytes'),
    (headers() + [(b'To', b' x@y')] * 1100, {},
     '451 4.7.5 The message cannot be signed'),
])
def test_refused(lab, keys, folder, fields, settings, reply):
    keys.write(folder, 'example.org', 'r')
    daemon = milter(lab, key_directory=folder, **settings).start()
    assert reply_of(daemon, fields=fields).startswith(reply)
    assert daemon.log.wait_for('event=dkim_refused queue=QUEUEID')


@pytest.mark.parametrize('author', [
    b' nobody', b' undisclosed-recipients:;', b' a@[192.0.2.1]',
    b' a@example.org <b@example.org>', b' a@example.org, b@example.com',
    b' <@example.org:a@example.com>', b' a@b@example.org'])
def test_a_from_without_one_domain_is_never_signed(lab, keys, folder, author):
    keys.write(folder, 'example.org', 'r')
    keys.write(folder, 'example.com', 'r')
    daemon = milter(lab, key_directory=folder).start()
    assert signed_by(daemon, keys, fields=headers(author)) == set()
    assert daemon.log.wait_for('event=dkim_not_signed .*outcome=bad_from')


def test_the_selector_that_is_active(lab, keys, folder):
    """The newest file; the setting `selectors` says otherwise."""
    old = keys.write(folder, 'example.org', 'z-old')
    keys.write(folder, 'example.org', 'a-new')
    os.utime(old, (1, 1))
    daemon = milter(lab, key_directory=folder).start()
    assert signed_by(daemon, keys) == {'a-new'}
    daemon.write_conf(selectors='other, z-old')
    daemon.reload()
    daemon.log.wait_for('event=reloaded')
    assert signed_by(daemon, keys) == {'z-old'}


def test_new_and_removed_keys_need_no_restart(lab, keys, folder):
    daemon = milter(lab, key_directory=folder,
                    key_poll_interval='1h').start()
    assert signed_by(daemon, keys) == set()
    path = keys.write(folder, 'example.org', 'r')
    wait_until(lambda: signed_by(daemon, keys) == {'r'}, 5, 'signed')
    path.unlink()
    wait_until(lambda: signed_by(daemon, keys) == set(), 5, 'not ours')


def test_kubernetes_secret_swap(lab, keys, folder):
    """The files are links through ..data, which is replaced by a rename."""
    def publish(version, selector):
        data = folder / f'..{version}'
        data.mkdir()
        keys.write(data, 'example.org', selector)
        link = folder / '..data_tmp'
        link.symlink_to(data.name)
        name = f'example.org.{selector}.key'
        link.rename(folder / '..data')
        for entry in folder.glob('*.key'):
            if entry.name != name:
                entry.unlink()
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f'..data/{name}')
    publish(1, 's1')
    daemon = milter(lab, key_directory=folder,
                    key_poll_interval='1h').start()
    assert signed_by(daemon, keys) == {'s1'}
    for version in range(2, 5):
        publish(version, f's{version}')
        wait_until(lambda: signed_by(daemon, keys) == {f's{version}'}, 5,
                   'the new selector')


def test_a_half_written_key_leaves_the_old_one(lab, keys, folder):
    path = keys.write(folder, 'example.org', 'r')
    daemon = milter(lab, key_directory=folder).start()
    good = path.read_bytes()
    path.write_bytes(good[:400])
    line = daemon.log.wait_for('.*event=key_problem.*')[0]
    assert f'place={path}' in line and 'domain example.org' in line
    assert signed_by(daemon, keys) == {'r'}
    assert metric(daemon, 'roost_milter_keys_broken'
                          '{source="directory"}') == 1
    daemon.reload()
    daemon.log.wait_for('event=reloaded')
    assert signed_by(daemon, keys) == {'r'}
    path.write_bytes(good)
    wait_until(lambda: metric(daemon, 'roost_milter_keys_broken'
                                      '{source="directory"}') == 0, 5, 'good')
    # the same problem is told once a (re)load of the settings, not each poll
    assert len(daemon.log.lines('event=key_problem')) == 2


@pytest.mark.parametrize('content,mode,problem', [
    (None, 0o600, 'Permission denied'),
    (None, 0o666, 'everyone may write it'),
    (b'', 0o644, 'empty key'),
    (b'not a key', 0o644, 'no PEM private key'),
    (b'-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', 0o644,
     'damaged, incomplete or encrypted'),
    (b'x' * 70000, 0o644, 'more than 32768 bytes'),
])
def test_an_unusable_key_is_named_and_its_mail_waits(lab, keys, folder,
                                                     content, mode, problem):
    path = keys.write(folder, 'example.org', 'r', mode=mode)
    if content is not None:
        path.write_bytes(content)
    keys.write(folder, 'example.com', 'r', mode=0o644)
    daemon = milter(lab, key_directory=folder, user='nobody').start()
    line = daemon.log.wait_for(
        '.*level=error event=key_problem source=directory.*')[0]
    assert f'place={path}' in line and problem in line
    assert reply_of(daemon).startswith('451 4.7.5')
    fields = headers(b' a@example.com')
    assert signed_by(daemon, keys, fields=fields) == {'r'}
    assert daemon.log.wait_for('level=warning event=key_problem .*'
                               'everyone may read this private key')


def test_short_rsa_keys_are_refused(lab, keys, folder):
    keys.write(folder, 'example.org', 'r')
    daemon = milter(lab, key_directory=folder,
                    minimum_key_bits='3072').start()
    daemon.log.wait_for('RSA key of 2048 bits: 3072 to 8192 needed')
    assert reply_of(daemon).startswith('451')


def test_a_broken_configuration_leaves_the_old_one(lab, keys, folder):
    keys.write(folder, 'example.org', 'r')
    daemon = milter(lab, key_directory=folder).start()
    daemon.conf.write_text(daemon.conf.read_text() + 'no_such_name = 1\n')
    line = len(daemon.conf.read_text().splitlines())
    daemon.reload()
    daemon.log.wait_for(f'event=reload_failed .*conf:{line}: .*no_such_name')
    assert signed_by(daemon, keys) == {'r'}
    daemon.write_conf(internal_networks='192.0.2.0/24',
                      key_directory='/nonexistent')
    daemon.reload()
    daemon.log.wait_for('event=reload_failed .*key_directory /nonexistent: '
                        'No such file')
    assert signed_by(daemon, keys) == {'r'}
    daemon.write_conf(key_directory=folder)
    daemon.reload()
    daemon.log.wait_for('event=reloaded')
    assert signed_by(daemon, keys) == set()
    assert signed_by(daemon, keys, address='192.0.2.3') == {'r'}


def test_signals_never_reach_libmilter(lab, keys, folder):
    """A thread of libmilter waits for SIGHUP and would end the filter."""
    keys.write(folder, 'example.org', 'r')
    daemon = milter(lab, key_directory=folder).start()
    for thread in os.listdir(f'/proc/{daemon.pid}/task'):
        mark = daemon.log.mark()
        # the kernel prefers the thread that is named, if it takes the signal
        os.kill(int(thread), signal.SIGHUP)
        daemon.log.wait_for('event=reloaded', since=mark)
    assert signed_by(daemon, keys) == {'r'}
    assert not daemon.log.lines('event=listener_failed')


def test_many_reloads_at_once(lab, keys, folder):
    keys.write(folder, 'example.org', 'r')
    daemon = milter(lab, key_directory=folder).start()
    for _ in range(500):
        daemon.reload()
    wait_until(lambda: daemon.log.lines('event=reloaded'), 5, 'reloaded')
    assert signed_by(daemon, keys) == {'r'}
    started = time.monotonic()
    daemon.stop()
    assert time.monotonic() - started < 3
    assert daemon.popen.wait(5) == 0
    assert not os.path.exists(daemon.where[5:])


def tables(folder, keys, key_table=None, signing_table=None):
    """docker-mailserver's layout."""
    for domain in ('example.org', 'example.com'):
        place = folder / 'keys' / domain
        place.mkdir(parents=True, exist_ok=True)
        (place / 'mail.private').write_bytes(keys.add(domain, 'mail'))
        (place / 'mail.private').chmod(0o600)
    (folder / 'KeyTable').write_text(key_table or ''.join(
        f'mail._domainkey.{d} {d}:mail:{folder}/keys/{d}/mail.private\n'
        for d in ('example.org', 'example.com')))
    (folder / 'SigningTable').write_text(signing_table or ''.join(
        f'*@{d} mail._domainkey.{d}\n' for d in ('example.org',
                                                 'example.com')))
    (folder / 'TrustedHosts').write_text(
        '127.0.0.1\nlocalhost\n192.0.2.0/24\n*.example.org\n')
    return {'key_table': folder / 'KeyTable',
            'signing_table': f'refile:{folder}/SigningTable',
            'internal_hosts': folder / 'TrustedHosts'}


def test_opendkim_tables(lab, keys, folder):
    daemon = milter(lab, **tables(folder, keys)).start()
    assert signed_by(daemon, keys) == {'mail'}
    com = headers(b' A@Example.COM')
    assert signed_by(daemon, keys, fields=com, address='192.0.2.9') == {'mail'}
    assert signed_by(daemon, keys, address='198.51.100.1') == set()
    assert signed_by(daemon, keys, fields=headers(b' a@other.net')) == set()
    daemon.log.wait_for(r'event=internal_host_skipped .*TrustedHosts:4: '
                        r'\*\.example\.org is a name')
    # a new domain, as `setup config dkim` adds it
    (folder / 'keys' / 'new').write_bytes(keys.add('new.example', 's'))
    (folder / 'keys' / 'new').chmod(0o600)
    with open(folder / 'KeyTable', 'a') as table:
        table.write(f'n new.example:s:{folder}/keys/new\n')
    with open(folder / 'SigningTable', 'a') as table:
        table.write('*@new.example n\n')
    new = headers(b' a@new.example')
    wait_until(lambda: signed_by(daemon, keys, fields=new) == {'s'}, 5, 'new')


def test_an_error_in_a_table_names_its_line(lab, keys, folder):
    daemon = milter(lab, **tables(folder, keys)).start()
    (folder / 'SigningTable').write_text('*@example.org nokey\n')
    daemon.log.wait_for(
        r'event=keys_failed source=table kept=last_good .*SigningTable:1: no '
        r'key named nokey')
    daemon.reload()
    daemon.log.wait_for('event=reload_failed .*SigningTable:1: no key named')
    assert signed_by(daemon, keys) == {'mail'}
    assert metric(daemon, 'roost_milter_key_source_up{source="table"}') == 0
    assert get(daemon, '/readyz')[0] == 200


@pytest.mark.parametrize('change,message', [
    ({'key_table': 'x example.org:mail\n'}, 'KeyTable:1: \\"name domain'),
    ({'key_table': '\nx example.org:mail:/k\nx b.c:d:/e\n'},
     'KeyTable:3: name x is also in line 2'),
    ({'signing_table': '*@example.org\n'}, 'SigningTable:1: \\"pattern name'),
])
def test_a_bad_table_at_the_start(lab, keys, folder, change, message):
    daemon = milter(lab, **tables(folder, keys, **change))
    assert message in fails_to_start(daemon)


@pytest.mark.parametrize('settings,message', [
    ({}, 'no keys: set key_directory'),
    ({'key_directory': '/nonexistent'}, 'key_directory /nonexistent: No such'),
    ({'key_table': '/nonexistent/K', 'signing_table': '/nonexistent/S'},
     '/nonexistent/K: No such file'),
    ({'key_directory': '/', 'listen': 'unix:/nonexistent/sock'},
     'listen unix:/nonexistent/sock: No such file'),
    ({'key_directory': '/', 'listen': 'inet:192.0.2.1:8891'},
     'listen inet:192.0.2.1:8891: '),
    ({'key_directory': '/', 'canonicalization': 'strict'},
     'conf:7: canonicalization'),
    ({'postgres': 'no such = thing ='}, 'postgres: '),
    ({'key_directory': '/', 'internal_hosts': '/dev/null/x'},
     '/dev/null/x: Not a directory'),
])
def test_what_keeps_it_from_starting(lab, settings, message):
    assert message in fails_to_start(milter(lab, **settings))


def test_a_running_milter_keeps_its_socket(lab, keys, folder):
    keys.write(folder, 'example.org', 'r')
    daemon = milter(lab, key_directory=folder).start()
    other = Daemon(lab, 'milter/roost-milter',
                   {'listen': daemon.where, 'key_directory': folder,
                    'user': 'root'}, 'other')
    assert 'another process serves it' in fails_to_start(other)
    assert signed_by(daemon, keys) == {'r'}
    daemon.kill()
    daemon.start()  # the socket that was left is replaced
    assert signed_by(daemon, keys) == {'r'}


def test_options(lab, folder):
    daemon = milter(lab, key_directory=folder,
                    postgres='host=db password=hunter2')
    daemon.prepare()
    command = [*daemon.command(), '-o', 'selectors=a, b']

    def run(*args):
        return subprocess.run([*command, *args], capture_output=True,
                              text=True, timeout=10)
    done = run('-n')
    assert done.returncode == 0 and 'hunter2' not in done.stdout
    assert 'selectors = a, b\n' in done.stdout
    assert 'canonicalization = relaxed/relaxed\n' in done.stdout
    assert run('-t').returncode == 0
    done = run('-t', '-o', 'on_error=maybe')
    assert done.returncode == 1 and 'on_error' in done.stderr


def test_tcp_does_not_wait_for_acknowledgements(lab, keys, folder):
    keys.write(folder, 'example.org', 'e', 'ed25519')
    daemon = milter(lab, tcp=True, key_directory=folder).start()
    times = []
    with client(daemon) as connection:
        for _ in range(30):
            started = time.monotonic()
            answer, message = connection.message(headers(), b'Hi\r\n')
            times.append(time.monotonic() - started)
            assert answer[0] == ACCEPT and keys.signatures(message)
    # Nagle and delayed acknowledgement would make it 40 ms
    assert statistics.median(times) < 0.030, times


def test_key_pairs_differ():
    assert key_pair('a') != key_pair('b')
    assert key_pair('a') == key_pair('a')
