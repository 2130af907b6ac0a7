# SPDX-License-Identifier: MIT
"""roostctl dkim: key pairs, records, what would be signed, verification."""
import re
import stat
import subprocess

import pytest

from lab import dkim_results, public_record

MAIL = (b'From: Anna <a@example.org>\nTo: b@example.net\nSubject: test\n'
        b'\nHello,\n\nthis  is a\ttest. \n\n')


@pytest.fixture
def dkim(lab, tmp_path):
    """Runs roostctl dkim; .status, .out and .err of the last run."""
    program = lab.build.program('tools/roostctl')
    assert program, 'roostctl is not built'

    def run(*args, status=0, stdin=b''):
        done = subprocess.run(
            [program, 'dkim', *args], input=stdin,
            capture_output=True, cwd=tmp_path, timeout=30)
        assert done.returncode == status, done
        run.err = done.stderr.decode()
        return done.stdout.decode()
    return run


def strings(zone):
    return re.findall(r'"([^"]*)"', zone)


@pytest.mark.parametrize('options', [
    [], ['-b', '4096'], ['-t', 'ed25519']], ids=['rsa', '4096', 'ed25519'])
def test_a_new_key_is_safe_and_its_record_fits(dkim, tmp_path, options):
    zone = dkim('genkey', *options, 'example.org', 's1')
    path = tmp_path / 'example.org.s1.key'
    assert dkim.err == './example.org.s1.key\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    pem = path.read_bytes()
    record = public_record(pem)
    assert zone.startswith('s1._domainkey.example.org. IN TXT ( "v=DKIM1')
    assert ''.join(strings(zone)) == record
    assert all(len(part) <= 255 for part in strings(zone))
    plain = f's1._domainkey.example.org\n{record}\n'
    assert dkim('dns', '-p', path) == plain
    assert dkim('dns', path) == zone
    # what is there stays
    dkim('genkey', 'example.org', 's1', status=2)
    assert 'File exists' in dkim.err and path.read_bytes() == pem
    public = subprocess.run(['openssl', 'pkey', '-pubout', '-in', path],
                            check=True, capture_output=True).stdout
    (tmp_path / 'public.pem').write_bytes(public)
    dkim('dns', 'public.pem', status=2)
    assert 'use -d and -s' in dkim.err
    assert dkim('dns', '-p', '-d', 'example.org', '-s', 's1',
                'public.pem') == plain


@pytest.mark.parametrize('args,message', [
    (['exa mple.org', 's'], 'bad domain name'),
    (['%', 's'], 'bad domain name'),
    (['example.org', '../s'], 'bad selector'),
    (['example.org', 'a.b'], 'a selector with a dot needs -f'),
    (['-D', 'absent', 'example.org', 's'], 'No such file'),
    (['-u', 'no-such-user', 'example.org', 's'], 'no user'),
    (['-b', '1024', 'example.org', 's'], 'usage:'),
    (['-t', 'dsa', 'example.org', 's'], 'usage:'),
    (['example.org'], 'usage:'),
])
def test_genkey_refuses(dkim, tmp_path, args, message):
    dkim('genkey', *args, status=2)
    assert message in dkim.err
    assert not list(tmp_path.iterdir())


@pytest.fixture
def site(dkim, tmp_path):
    """Two keys of example.org and the options to use them."""
    for kind, selector in (('rsa', 'r'), ('ed25519', 'e')):
        dkim('genkey', '-t', kind, 'example.org', selector)
    (tmp_path / 'mail').write_bytes(MAIL)
    return ['-o', f'key_directory={tmp_path}', '-o', 'user=root',
            '-c', '/dev/null']


def test_what_test_signs_verifies(dkim, site, tmp_path):
    out = dkim('test', '-H', *site, 'mail')
    assert 'client     127.0.0.1 is in an internal network\n' in out
    assert 'outcome    signed\naction     pass\n' in out
    assert 'selectors  rsa:r,ed25519:e\n' in out
    signatures = out[out.index('DKIM-Signature:'):].encode()
    signed = tmp_path / 'signed'
    signed.write_bytes(signatures + MAIL)
    records = dict(dkim('dns', '-p', f'example.org.{s}.key').splitlines()
                   for s in 're')
    assert [good for *_, good in dkim_results(
        signed.read_bytes().replace(b'\n', b'\r\n'), records)] == [True, True]
    assert dkim('verify', '-k', 'example.org.r.key', '-k',
                'example.org.e.key', 'signed') == (
        'pass       r._domainkey.example.org rsa\n'
        'pass       e._domainkey.example.org ed25519\n')
    (tmp_path / 'zone').write_text(dkim('dns', 'example.org.e.key'))
    out = dkim('verify', '-r', 'zone', stdin=signed.read_bytes())
    assert 'permerror  r._domainkey.example.org rsa: key record: another ' \
        'type of key\npass       e._domainkey' in out
    # CRLF, and a line of a mailbox file in front
    signed.write_bytes((b'From x Sat Jan  1\n' + signatures + MAIL)
                       .replace(b'\n', b'\r\n'))
    assert dkim('verify', '-r', 'zone', 'signed').count('pass') == 1
    signed.write_bytes(signatures + MAIL.replace(b'test.', b'text.'))
    out = dkim('verify', '-r', 'zone', 'signed', status=1)
    assert out.count('fail ') == 2 and 'the body hash is another' in out
    signed.write_bytes(signatures + b'Subject: another\n' + MAIL)
    out = dkim('verify', '-r', 'zone', 'signed', status=1)
    assert 'fail       e._domainkey.example.org ed25519: the signature is ' \
        'wrong' in out


def test_verify_says_what_is_wrong(dkim, site, tmp_path):
    key = ['-k', 'example.org.r.key']
    assert 'no signature' in dkim('verify', *key, 'mail', status=1)
    (tmp_path / 'bad').write_bytes(b'DKIM-Signature: v=2\n' + MAIL)
    assert 'permerror' in dkim('verify', *key, 'bad', status=1)
    dkim('verify', 'mail', status=2)
    assert 'usage:' in dkim.err
    dkim('verify', '-k', 'mail', 'mail', status=2)
    assert 'mail: no PEM key' in dkim.err
    dkim('verify', *key, 'absent', status=2)
    assert 'absent: No such file' in dkim.err
    (tmp_path / 'bad').write_bytes(b'no header\n\n')
    dkim('verify', *key, 'bad', status=2)
    assert 'header field 1 is none' in dkim.err


@pytest.mark.parametrize('options,mail,expected', [
    (['-a', '192.0.2.1'], MAIL,
     'client     192.0.2.1 has not logged in and is in no internal network\n'
     'outcome    not_submission\naction     pass\n'),
    (['-a', '192.0.2.1', '-l', 'anna'], MAIL, 'outcome    signed'),
    (['-o', 'ingress_networks=127.0.0.1'], MAIL,
     'is in an ingress network\noutcome    not_submission'),
    ([], MAIL.replace(b'example.org', b'example.com'),
     'domain     example.com\noutcome    not_ours\naction     pass\n'),
    (['-o', 'domains=example.com'],
     MAIL.replace(b'example.org', b'example.com'),
     'outcome    missing_key\naction     tempfail\n'),
    ([], b'From: b@example.org\n' + MAIL,
     'outcome    two_from\naction     reject\n'
     'reason     more than one From header'),
    ([], b'\n', 'outcome    no_from\naction     reject\n'),
    ([], MAIL + b'x' * 1000, 'warning    a line of 1000 bytes'),
])
def test_test_tells_why(dkim, site, options, mail, expected):
    assert expected in dkim('test', *site, *options, stdin=mail)


def test_check_reads_keys_as_the_daemon(dkim, site, tmp_path):
    assert dkim('check', *site) == \
        'directory  read: 1 authors, 2 keys, 0 authors with a broken key\n'
    assert dkim.err == ''
    (tmp_path / 'example.org.r.key').chmod(0o644)
    dkim('check', *site)
    assert 'event=key_problem' in dkim.err and 'everyone may read' in dkim.err
    (tmp_path / 'example.org.r.key').chmod(0o666)
    out = dkim('check', *site, status=1)
    assert '1 authors with a broken key' in out
    assert 'everyone may write it' in dkim.err
    dkim('check', '-c', '/dev/null', '-o', 'user=root', status=2)
    assert 'no keys: set key_directory' in dkim.err
    # as another user, who may not read the keys
    (tmp_path / 'example.org.r.key').chmod(0o600)
    tmp_path.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o001 == 0:
            return  # that user does not come this far
    out = dkim('check', *site, '-o', 'user=nobody', status=1)
    assert 'Permission denied' in dkim.err


def test_check_fails_when_a_source_does_not_answer(dkim, tmp_path):
    out = dkim('check', '-c', '/dev/null', '-o', 'user=root', '-o',
               f'postgres=host={tmp_path} connect_timeout=2', status=1)
    assert out.startswith('postgres   not read: 0 authors')
    assert 'event=keys_failed' in dkim.err


def test_check_names_the_line_of_a_table(dkim, site, tmp_path):
    (tmp_path / 'K').write_text('k example.org:r\n')
    (tmp_path / 'S').write_text('example.org k\n')
    dkim('check', *site, '-o', f'key_table={tmp_path}/K', '-o',
         f'signing_table={tmp_path}/S', status=2)
    assert f'{tmp_path}/K:1: ' in dkim.err
