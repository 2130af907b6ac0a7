# SPDX-License-Identifier: MIT
"""The passdb roost joins the site's chains and lets nobody in or out by itself.

The site's own passdbs stand in the configuration as they would without Roost.
"""
import json
import os
import re
import signal
import subprocess

import pytest

from lab import Dovecot, imap, lmtp_send, message, wait_until
from lab.dovecot import dovecot_version

NEW = dovecot_version() >= (2, 4)
USERS = {'alice': 'secret-of-alice', 'bob': 'secret-of-bob'}
REFUSED = r'AUTHENTICATIONFAILED'
LATER = r'UNAVAILABLE'
EXTRA = {'auth_cache_size': '10M', 'auth_cache_negative_ttl': '0',
         'auth_failure_delay': '0',
         # else each refused login makes the next one slower
         'service anvil': {'unix_listener anvil-auth-penalty': {'mode': 0}},
         'auth_mechanisms': 'plain login cram-md5'}


def block(name, settings_23, settings_24):
    """A passdb block of either release."""
    return {f'passdb#{name}': settings_23} if not NEW else \
        {f'passdb {name}': settings_24}


def site(lab, name='n1', extra=None, passdbs=None, roost=None):
    """A node. passdbs stand between the site's passwd-file and roost."""
    node = Dovecot(lab, name, users=USERS, roost=roost or {},
                   extra=EXTRA | (extra or {}))
    write = node.write_conf

    def write_conf():
        write()
        if passdbs:  # dicts keep their order, the chain is in file order
            mark = 'passdb roost {' if NEW else 'passdb {\n  driver = roost'
            from lab.dovecot_conf import render
            text = node.conf.read_text()
            assert text.count(mark) == 1
            node.conf.write_text(text.replace(mark, render(passdbs) + mark))
    node.write_conf = write_conf
    return node


def first_passdb(node, settings):
    """Adds settings to the site's own passdb."""
    write = node.write_conf

    def write_conf():
        write()
        text = node.conf.read_text()
        at = text.index('\n', text.index('passdb ')) + 1
        node.conf.write_text(text[:at] + ''.join(
            f'  {name} = {value}\n' for name, value in settings.items()) +
            text[at:])
    node.write_conf = write_conf


@pytest.fixture(autouse=True)
def clean_logs(lab):
    """No process crashed, no password was logged, whatever was tried."""
    yield
    for component in lab.components:
        if component.processes():
            component.stop()  # so that auth's end is seen, too
        log = component.log.text()
        assert not re.findall(r'.*(?:killed with signal (?!9|15)|Panic|'
                              r'[Aa]ssert|pass field|leak).*', log)
        assert 'secret-of-' not in log


def login(node, user, password):
    with imap(node, user, password) as client:
        assert client.ok('noop')


def login_fails(node, user, password, why):
    with pytest.raises(imap.error, match=why):
        login(node, user, password)


def lookup(node, user):
    """Exit status and output of `doveadm auth lookup`."""
    done = node.doveadm('auth', 'lookup', user, check=False)
    return done.returncode, done.stdout + done.stderr


def test_password_is_checked_by_the_sites_passdb(lab):
    node = site(lab).start()
    login(node, 'alice', 'secret-of-alice')
    login(node, 'alice', 'secret-of-alice')  # from auth's cache
    login_fails(node, 'alice', 'secret-of-bob', REFUSED)
    login_fails(node, 'nouser', 'secret-of-bob', REFUSED)
    login_fails(node, 'alice', '', REFUSED)
    login(node, 'bob', 'secret-of-bob')


def test_lookup_shows_no_password_and_knows_nobody_new(lab):
    node = site(lab).start()
    status, text = lookup(node, 'alice')
    assert status == 0 and 'alice' in text
    assert 'pass ' not in text and 'secret' not in text
    assert 'proxy' not in text
    status, text = lookup(node, 'nouser')
    assert status == 67, text


def test_challenge_mechanism_works_on_the_owner(lab):
    node = site(lab).start()
    with imap(node, 'alice', 'secret-of-alice') as client:
        assert 'AUTH=CRAM-MD5' in client.capabilities

    class Cram(imap):
        def login(self, user, password):
            return self.login_cram_md5(user, password)
    with Cram(node, 'bob', 'secret-of-bob') as client:
        assert client.ok('noop')
    with pytest.raises(imap.error, match=REFUSED):
        Cram(node, 'bob', 'wrong')


def test_master_user_logs_in_as_the_user(lab):
    passwd = lab.dir / 'masters'
    passwd.write_text('chief:{PLAIN}secret-of-chief::::::\n')
    node = site(lab, passdbs=block(
        'masters', {'driver': 'passwd-file', 'args': passwd, 'master': True},
        {'driver': 'passwd-file', 'passwd_file_path': passwd,
         'master': True}),
        extra={'auth_master_user_separator': '*'}).start()
    login(node, 'alice*chief', 'secret-of-chief')
    login_fails(node, 'alice*chief', 'secret-of-alice', REFUSED)
    login_fails(node, 'alice*bob', 'secret-of-bob', REFUSED)
    login(node, 'alice', 'secret-of-alice')
    # the userdb has no such user: the login fails later, and not as a success
    with pytest.raises(imap.error):
        login(node, 'nouser*chief', 'secret-of-chief')


def test_denied_user_stays_out(lab):
    denied = lab.dir / 'denied'
    denied.write_text('bob:::::::\n')
    chiefs = lab.dir / 'chiefs'
    chiefs.write_text('chief:{PLAIN}secret-of-chief::::::\n')
    node = site(lab, extra={'auth_master_user_separator': '*'},
                passdbs=block('chiefs', {'driver': 'passwd-file',
                                         'args': chiefs, 'master': True},
                              {'driver': 'passwd-file', 'master': True,
                               'passwd_file_path': chiefs}))
    write = node.write_conf

    def write_conf():  # a deny passdb stands first
        write()
        from lab.dovecot_conf import render
        deny = render(block(
            'denied', {'driver': 'passwd-file', 'args': denied, 'deny': True},
            {'driver': 'passwd-file', 'passwd_file_path': denied,
             'deny': True}))
        text = node.conf.read_text()
        at = text.index('passdb ')
        node.conf.write_text(text[:at] + deny + text[at:])
    node.write_conf = write_conf
    node.start()
    login_fails(node, 'bob', 'secret-of-bob', REFUSED)
    login(node, 'alice', 'secret-of-alice')
    # a master passdb's word is final, as it is without Roost
    login(node, 'bob*chief', 'secret-of-chief')


def test_second_passdb_of_the_site_is_reached(lab):
    second = lab.dir / 'second'
    second.write_text('carol:{PLAIN}secret-of-carol::::::\n'
                      'alice:{PLAIN}secret-of-second::::::\n')
    node = site(lab, passdbs=block(
        'second', {'driver': 'passwd-file', 'args': second},
        {'driver': 'passwd-file', 'passwd_file_path': second}))
    node.start()
    node.passwd.write_text(node.passwd.read_text() + 'carol:::::::\n')
    login(node, 'carol', 'secret-of-carol')
    login(node, 'alice', 'secret-of-alice')
    login(node, 'alice', 'secret-of-second')
    login_fails(node, 'alice', 'secret-of-carol', REFUSED)


def test_passdb_that_must_be_followed_by_another_does_not_let_in(lab):
    """`continue` alone (2.3: pass = yes) means: the next one decides."""
    second = lab.dir / 'second'
    second.write_text('alice:{PLAIN}secret-of-alice::::::\n')
    node = site(lab, passdbs=block(
        'second', {'driver': 'passwd-file', 'args': second},
        {'driver': 'passwd-file', 'passwd_file_path': second}))
    first_passdb(node, {'result_success': 'continue'})
    node.start()
    login(node, 'alice', 'secret-of-alice')
    login_fails(node, 'bob', 'secret-of-bob', REFUSED)


def test_master_passdb_that_must_be_followed_does_not_let_in(lab):
    """The user must be known to the passdb after it."""
    passwd = lab.dir / 'masters'
    passwd.write_text('chief:{PLAIN}secret-of-chief::::::\n')
    master = {'driver': 'passwd-file', 'master': True,
              'result_success': 'continue'}
    node = site(lab, passdbs=block('masters', master | {'args': passwd},
                                   master | {'passwd_file_path': passwd}),
                extra={'auth_master_user_separator': '*'}).start()
    login(node, 'alice*chief', 'secret-of-chief')
    login_fails(node, 'nouser*chief', 'secret-of-chief', 'AUTH')


PAM = '''auth required pam_exec.so quiet expose_authtok {script}
account required pam_permit.so
'''


def test_third_passdb_decides_when_the_second_does_not_know(lab):
    """After `continue` and a user whom the second one does not know."""
    second, third = lab.dir / 'second', lab.dir / 'third'
    second.write_text('alice:{PLAIN}secret-of-alice::::::\n')
    third.write_text('bob:{PLAIN}secret-of-bob::::::\n')
    node = site(lab, passdbs=block(
        'second', {'driver': 'passwd-file', 'args': second},
        {'driver': 'passwd-file', 'passwd_file_path': second}) | block(
        'third', {'driver': 'passwd-file', 'args': third},
        {'driver': 'passwd-file', 'passwd_file_path': third}))
    first_passdb(node, {'result_success': 'continue'})
    node.start()
    login(node, 'bob', 'secret-of-bob')
    login(node, 'alice', 'secret-of-alice')


def test_pam_users_log_in_and_get_mail(lab):
    """PAM can verify but not look up."""
    script, services = lab.dir / 'verify', lab.dir / 'pam.d'
    script.write_text('#!/bin/sh\n[ "$PAM_USER" = carol ] && '
                      '[ "$(tr -d "\\0")" = secret-of-carol ]\n')
    script.chmod(0o755)
    services.mkdir()
    (services / 'roost-test').write_text(PAM.format(script=script))
    node = site(lab, passdbs=block(
        'pam', {'driver': 'pam', 'args': 'roost-test'},
        {'driver': 'pam', 'service_name': 'roost-test'}))
    prepare = node.prepare

    def with_pam():
        prepare()
        node.mounts = [*node.mounts, (services, '/etc/pam.d')]
        # the userdb has them all
        text = node.conf.read_text()
        node.conf.write_text(re.sub(
            r'(passdb[^}]*(?:args|path) = ).*passwd', rf'\1{lab.dir}/none',
            text, count=1))
        (lab.dir / 'none').write_text('')
        node.passwd.write_text('carol:::::::\n')
    node.prepare = with_pam
    node.start()
    login(node, 'carol', 'secret-of-carol')
    login_fails(node, 'carol', 'wrong', REFUSED)
    login_fails(node, 'dave', 'secret-of-carol', REFUSED)
    lmtp_send(node, 'x@example.org', 'carol')
    with imap(node, 'carol', 'secret-of-carol') as client:
        assert client.status_items()['MESSAGES'] == 1


def agent_pid(node):
    for pid in node.processes():
        try:
            with open(f'/proc/{pid}/comm') as comm:
                if comm.read().strip() == 'roost-agent':
                    return pid
        except OSError:
            pass
    return None


def test_killed_agent_is_not_noticed(lab):
    node = site(lab).start()
    login(node, 'alice', 'secret-of-alice')
    for _ in range(3):
        old = wait_until(lambda: agent_pid(node), 10, 'agent')
        os.kill(old, signal.SIGKILL)
        login(node, 'alice', 'secret-of-alice')


def sessions(node):
    """What the agent counts, as doveadm shows it."""
    done = node.doveadm('-f', 'json', 'roost', 'status', check=False)
    if done.returncode != 0:
        return None
    (status,) = json.loads(done.stdout)
    return int(status['sessions'])


def test_open_session_is_known_to_a_restarted_agent(lab):
    """An idle session tells the new agent of itself, and works on."""
    node = site(lab).start()
    with imap(node, 'alice', 'secret-of-alice') as client:
        client.ok('select')
        assert sessions(node) == 1
        for _ in range(2):
            old = agent_pid(node)
            os.kill(old, signal.SIGKILL)
            wait_until(lambda o=old: agent_pid(node) not in (None, o), 20,
                       'another agent')
            wait_until(lambda: sessions(node) == 1, 10, 'the session back')
        client.ok('append', 'INBOX', None, None,
                  message('alice@example.org', 'alice@example.org'))
        assert client.ok('noop')
    wait_until(lambda: sessions(node) == 0, 10, 'end of the session')
    assert not node.log.lines('roost_session_lost|this session ends')


def test_doveadm_shows_node_and_user(lab):
    node = site(lab).start()
    login(node, 'alice', 'secret-of-alice')
    (status,) = json.loads(node.doveadm('-f', 'json', 'roost', 'status')
                           .stdout)
    assert status['node'] == 'n1' and status['redis'] == 'none'
    (user,) = json.loads(node.doveadm('-f', 'json', 'roost', 'status',
                                      'alice').stdout)
    assert (user['owner'], user['self'], user['pinned']) == ('n1', 'yes',
                                                             'yes')
    nodes = json.loads(node.doveadm('-f', 'json', 'roost', 'nodes').stdout)
    assert [n['node'] for n in nodes] == ['n1']
    done = node.doveadm('roost', 'status', 'x' * 600, check=False)
    assert done.returncode == 75 and 'too long' in done.stderr


def test_no_agent_is_a_temporary_failure_until_it_is_back(lab):
    node = site(lab).start()
    login(node, 'alice', 'secret-of-alice')
    # the node's own copy of Dovecot's programs
    (program,) = (lab.dir / 'dovecot').glob('**/roost-agent')
    program.rename(program.with_suffix('.away'))
    os.kill(wait_until(lambda: agent_pid(node), 10, 'agent'), signal.SIGKILL)
    wait_until(lambda: agent_pid(node) is None, 10, 'end of the agent')
    login_fails(node, 'alice', 'secret-of-alice', LATER)
    login_fails(node, 'alice', 'wrong', REFUSED)
    assert lookup(node, 'alice')[0] == 75
    # SMTP AUTH opens no mailbox: it needs no agent
    done = node.doveadm('auth', 'test', '-x', 'protocol=smtp' if NEW else
                        'service=smtp', 'alice', 'secret-of-alice',
                        check=False)
    assert 'succeeded' in done.stdout + done.stderr
    program.with_suffix('.away').rename(program)

    def back():
        try:
            login(node, 'alice', 'secret-of-alice')
        except imap.error:
            return False
        return True
    wait_until(back, 60, 'logins', interval=0.5)
    node.log.wait_for('temporary failure: .*roost-agent-auth')
    assert lookup(node, 'alice')[0] == 0


@pytest.mark.parametrize('chain, message', [
    ({'result_success': 'continue-ok', 'result_failure': 'return-ok'},
     'would let a user in past roost'),
])
def test_chain_with_a_way_past_roost_is_refused(lab, chain, message):
    node = site(lab)
    node.start_timeout = 4
    first_passdb(node, chain)
    node.prepare()
    node.prepare = lambda: None
    try:
        node.start()
        with pytest.raises(imap.error):
            login(node, 'alice', 'secret-of-alice')
    except Exception:  # the login services may wait for auth
        pass
    node.log.wait_for(message)
    node.log.wait_for('passdb roost')


@pytest.mark.parametrize('name, value, message', [
    ('node_addr', '10.0.0.256', 'roost_node_addr=10.0.0.256: not an IP'),
    ('node_ports', 'imap:99999', 'roost_node_ports: "imap:99999"'),
    ('lease_ttl', '1s', 'roost_lease_ttl=1 secs'),
    ('redis', 'localhost', 'roost_redis=localhost: neither'),
    ('nod', 'n1', 'roost_nod'),
])
def test_bad_setting_is_named(lab, name, value, message):
    node = site(lab, roost={name: value})
    node.prepare()
    if NEW:
        done = node.run('doveconf', '-n', '-c', node.conf, check=False)
        assert message in done.stdout + done.stderr
        return
    node.prepare = lambda: None
    node.start()
    node.log.wait_for(re.escape(message))
    login_fails(node, 'alice', 'secret-of-alice', LATER)


def test_service_needs_no_configuration(lab):
    node = site(lab).start()
    mode = {path.name: (os.stat(path).st_mode & 0o777, os.stat(path).st_uid)
            for path in node.base.glob('roost-agent*')}
    dovecot = int(subprocess.run(['id', '-u', 'dovecot'], check=True,
                                 capture_output=True, text=True).stdout)
    assert mode == {'roost-agent': (0o666, 0),
                    'roost-agent-auth': (0o600, dovecot),
                    'roost-agent-admin': (0o600, 0)}
    assert agent_pid(node)
