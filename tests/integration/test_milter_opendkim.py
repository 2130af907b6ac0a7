# SPDX-License-Identifier: MIT
"""roost-milter in the place of OpenDKIM: with its settings file as it is."""
import pathlib
import re
import shutil

import pytest

from milter_site import (ACCEPT, Keys, fails_to_start, headers, metric,
                         milter, sign, signed_by)

SOURCES = pathlib.Path(__file__).resolve().parents[2]


def opendkim(lab, text, **options):
    """A roost-milter that reads this opendkim.conf; only what has no place
    in it, or needs another user here, comes from the command line."""
    daemon = milter(lab)
    conf = daemon.dir / 'opendkim.conf'
    over = {name: daemon.settings[name]
            for name in ('http_listen', 'user')} | options
    daemon.opendkim_conf = conf
    daemon.prepare = lambda: None
    daemon.command = lambda: [
        daemon.program, '--opendkim-conf', conf,
        *(f'-o{name}={value}' for name, value in over.items())]
    conf.write_text(text)
    return daemon, lab.address(40)


def docker_mailserver(lab, keys):
    """Its files, below the lab's folder; (the settings, the folder)."""
    folder = lab.dir / 'opendkim'
    (folder / 'keys' / 'example.org').mkdir(parents=True)
    (folder / 'keys' / 'example.org' / 'mail.private').write_bytes(
        keys.add('example.org', 'mail'))
    (folder / 'keys' / 'example.org' / 'mail.private').chmod(0o600)
    (folder / 'KeyTable').write_text(
        'mail._domainkey.example.org example.org:mail:'
        f'{folder}/keys/example.org/mail.private\n')
    (folder / 'SigningTable').write_text(
        '*@example.org mail._domainkey.example.org\n')
    (folder / 'TrustedHosts').write_text('127.0.0.1\nlocalhost\n')
    howto = (SOURCES / 'docs/howto-opendkim.md').read_text()
    text = howto.split('```')[1]
    return text.replace('/etc/opendkim/', f'{folder}/').replace(
        'inet:8891@localhost', 'SOCKET'), folder


def test_docker_mailservers_layout(lab):
    keys = Keys()
    text, folder = docker_mailserver(lab, keys)
    daemon, host = opendkim(lab, '')
    text = text.replace('SOCKET', f'inet:8891@{host}')
    daemon.opendkim_conf.write_text(text)
    daemon.where = f'inet:{host}:8891'
    daemon.start()
    answer, _, message = sign(daemon, headers(
        b' a@example.org', (b'Date', b' today'), (b'Message-ID', b' <a@b>')))
    assert answer == ACCEPT
    assert keys.signatures(message) == {
        'mail': ('example.org', 'rsa-sha256')}
    signature = re.sub(rb'\s', b'', message[:message.index(b'\r\nFrom: ')])
    assert b'c=relaxed/simple;' in signature
    assert b'h=From:From:' in signature
    assert b'Date' not in signature and b'Message-ID' not in signature
    # a reload reads that file again
    daemon.opendkim_conf.write_text(
        text.replace('relaxed/simple', 'simple/simple'))
    since = daemon.log.mark()
    daemon.reload()
    daemon.log.wait_for('event=reloaded', since=since)
    message = sign(daemon)[2]
    assert b'c=simple/simple;' in re.sub(rb'\s', b'', message)
    keys.signatures(message)
    daemon.opendkim_conf.write_text(text + 'Nonsense yes\n')
    daemon.reload()
    daemon.log.wait_for(r'event=reload_failed.*opendkim.conf:23: Nonsense',
                        since=since)
    assert metric(daemon, 'roost_config_reload_ok') == 0
    shutil.rmtree(folder)
    assert sign(daemon)[0] == ACCEPT


@pytest.mark.parametrize('below', ['yes', 'no'])
def test_one_key_for_some_domains(lab, below):
    """Domain, Selector and KeyFile: what Debian's file proposes."""
    keys = Keys()
    path = lab.dir / 'example.private'
    path.write_bytes(keys.add('example.com', '2020'))
    path.chmod(0o600)
    record = keys.records['2020._domainkey.example.com']
    keys.records['2020._domainkey.example.net'] = record
    daemon, _ = opendkim(lab, f'''
# Debian's file with its proposals taken
Syslog\t\t\tyes
SyslogSuccess\t\tyes
Canonicalization\trelaxed/simple
Mode\t\t\ts
SubDomains\t\t{below}
OversignHeaders\t\tFrom
Domain\t\t\texample.com,Example.Net
Selector\t\t2020
KeyFile\t\t{path}
UserID\t\t\topendkim
UMask\t\t\t000
Socket\t\t\tlocal:{lab.dir}/sock
PidFile\t\t\t/run/opendkim/opendkim.pid
TrustAnchorFile\t\t/usr/share/dns/root.key
''')
    daemon.where = f'unix:{lab.dir}/sock'
    daemon.start()
    for domain in (b'example.com', b'example.net'):
        message = sign(daemon, headers(b' a@' + domain))[2]
        assert keys.signatures(message) == {
            '2020': (domain.decode(), 'rsa-sha256')}
    message = sign(daemon, headers(b' a@sub.b.example.com'))[2]
    if below == 'yes':
        assert keys.signatures(message) == {
            '2020': ('example.com', 'rsa-sha256')}
    else:
        assert not message
    assert not sign(daemon, headers(b' a@myexample.com'))[2]


@pytest.mark.parametrize('text,message', [
    ('Syslog yes\nPeerList /x\n',
     'opendkim.conf:2: PeerList: roost-milter has nothing like it'),
    ('KeyTable /x\n', 'opendkim.conf:1: key_table: '),
    ('KeyFile /x\nDomain a.example\n',
     'opendkim.conf:1: key_file, key_selector and key_domains need each'),
    ('KeyFile /x\nSelector s\nDomain a..example\n',
     'opendkim.conf:3: key_domains: a..example: bad domain name'),
    ('OmitHeaders From\n', 'opendkim.conf:1: omit_headers: From must be'),
    ('MinimumKeyBits 512\n', 'opendkim.conf:1: minimum_key_bits: '),
    ('Canonicalization strict\n', 'opendkim.conf:1: canonicalization: '),
    ('Domain a\n\nDomain b\n', 'opendkim.conf:3: '),
])
def test_errors_name_the_line(lab, text, message):
    daemon, _ = opendkim(lab, text)
    assert message in fails_to_start(daemon)


def test_subdomains_of_a_key_directory(lab):
    keys = Keys()
    folder = lab.dir / 'keys'
    folder.mkdir()
    keys.write(folder, 'example.org', 'r')
    keys.write(folder, 'own.example.org', 'o')
    daemon = milter(lab, key_directory=folder, subdomains='yes').start()
    for domain, selector in ((b'example.org', 'r'), (b'x.example.org', 'r'),
                             (b'own.example.org', 'o'),
                             (b'a.own.example.org', 'o')):
        assert signed_by(daemon, keys, fields=headers(
            b' a@' + domain)) == {selector}
    assert not sign(daemon, headers(b' a@org'))[2]
