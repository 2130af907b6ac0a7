# SPDX-License-Identifier: MIT
"""Awkward messages, signed in packets of several sizes and verified by dkimpy
(RSA and Ed25519) and by Mail::DKIM; a changed one must not verify."""
import os
import subprocess

import pytest

from lab import dkim_results
from milter_site import ACCEPT, Keys, client, milter

BODIES = {
    'empty': b'',
    'one line end': b'\r\n',
    'blank lines only': b'\r\n' * 5,
    'white space lines only': b' \r\n\t\r\n  \t \r\n',
    'no line end': b'the end',
    'white space, no line end': b'the end \t ',
    'blank lines at the end': b'text\r\n\r\n\r\n \r\n\r\n',
    'blanks everywhere': b'  a  b\t\tc \r\n\r\n \t d\te  \r\n',
    'VT and FF': b'a\v b \f\r\n\f\r\n\v\r\n',
    'lone CR': b'a\rb \rc\r\r\n',
    'NUL and 8 bit': b'a\0b \xff\xfe\x80\r\n\xc3\xa4\r\n',
    'dots': b'.\r\n..\r\n.a\r\n',
    'long lines': b'x' * 998 + b'\r\n' + b'y z ' * 700 + b'\r\n',
    'like a header': b'From: x@example.com\r\n\r\nDKIM-Signature: a=b\r\n',
    'blanks in a row': b' ' * 5000 + b'x' + b'\t ' * 2000 + b'\r\n',
    'large': b'The quick brown fox jumps over the lazy dog. 0123\r\n' * 4000,
}
HEADERS = {
    'plain': [(b'From', b' A B <a@example.org>'), (b'Subject', b' Hi')],
    'nothing but From': [(b'From', b' a@example.org')],
    'no blank': [(b'FROM', b'a@example.org'), (b'subJECT', b'Hi')],
    'folded': [(b'From', b'\r\n\t"A,\r\n B"\r\n <a@example.org>\r\n (c)'),
               (b'Subject', b' one\r\n  two\r\n\tthree \t\r\n four'),
               (b'To', b'\r\n a@x.example,\r\n b@x.example')],
    'empty': [(b'Subject', b''), (b'To', b' '), (b'Cc', b' \t'),
              (b'From', b' <a@example.org>'), (b'Date', b'')],
    'repeated': [(b'To', b' one'), (b'From', b' a@example.org'),
                 (b'To', b' two'), (b'Cc', b' x'), (b'to', b' three'),
                 (b'Reply-To', b' r'), (b'Cc', b' y')],
    'quoted local part': [(b'From', b' "a@example.com"@example.org'),
                          (b'Subject', b' "quoted \\" @"  ')],
    'comments': [(b'From', b' (x@example.com) a@(y)example(z).org (\\))'),
                 (b'Subject', b' (a  (b)\tc)')],
    'group': [(b'From', b' Us: a@example.org, B <b@example.org>;'),
              (b'Sender', b' a@example.org')],
    '8 bit': [(b'From', b' J\xc3\xb6rg <j@example.org>'),
              (b'Subject', b' \xff\xfe  \xc3\xa4 =?utf-8?q?=C3=A4?=')],
    'blanks': [(b'From', b'    a@example.org   '),
               (b'Subject', b'\t \ta   b\t\tc  \t')],
    'lists': [(b'From', b' a@example.org'), (b'List-Id', b' <l.example>'),
              (b'References', b'\r\n'.join(b' <%d@x>' % i
                                           for i in range(100))),
              (b'MIME-Version', b' 1.0'),
              (b'Content-Type', b' text/plain;\r\n\tcharset=utf-8')],
    'an old signature': [(b'DKIM-Signature', b' v=1; a=rsa-sha256; b=xx'),
                         (b'Received', b' from a\r\n\tby b'),
                         (b'From', b' a@example.org'),
                         (b'X-From', b' b@example.com')],
}
PACKETS = (65535, 4096, 7)
OURS = ('r', 'e')  # selectors
# dkimpy needs minutes for these when relaxing them: see the next test
SLOW = ('blanks in a row',)


def messages():
    """Every header with every body, each with one of the packet sizes."""
    count = 0
    for head, fields in HEADERS.items():
        for name, body in BODIES.items():
            if name == 'large' and head != 'plain':
                continue
            size = PACKETS[count % 3] if len(body) < 50000 else 4096
            count += 1
            yield f'{head}, {name}, {size}', fields, body, size


@pytest.fixture
def keys():
    return Keys()


@pytest.fixture
def folder(lab, keys):
    path = lab.dir / 'keys'
    path.mkdir()
    keys.write(path, 'example.org', 'r')
    keys.write(path, 'example.org', 'e', 'ed25519')
    return path


def tampered(message):
    """Changes one byte of the body, or adds a From."""
    head, _, body = message.partition(b'\r\n\r\n')
    for i, byte in enumerate(body):
        if chr(byte).isalnum():
            return head + b'\r\n\r\n' + body[:i] + b'#' + body[i + 1:]
    return b'From: x@example.org\r\n' + message


def in_transit(message):
    """SMTP ends the last line of a message."""
    return message if message.endswith(b'\r\n') else message + b'\r\n'


@pytest.mark.parametrize('canonicalization', [
    'relaxed/relaxed', 'relaxed/simple', 'simple/relaxed', 'simple/simple'])
def test_dkimpy_verifies(lab, keys, folder, canonicalization):
    daemon = milter(lab, key_directory=folder, oversign_headers='From, To',
                    canonicalization=canonicalization).start()
    count = 0
    with client(daemon) as connection:
        for name, fields, body, size in messages():
            answer, message = connection.message(fields, body, packet=size)
            assert answer[0] == ACCEPT, name
            if any(slow in name for slow in SLOW):
                continue
            message = in_transit(message)
            results = dkim_results(message, keys.records)
            ours = [result for result in results if result[1] in OURS]
            assert [good for *_, good in ours] == [True, True], \
                (name, results, message)
            bad = dkim_results(tampered(message), keys.records)
            assert not any(good for *_, good in bad), name
            count += 1
    assert count > 150


PERL = r'''
use strict; use Mail::DKIM::Verifier;
my %record = map { chomp; split /\t/, $_, 2 } grep { /\t/ } split /^/m,
	do { local $/; open my $f, '<', $ARGV[0] or die; <$f> };
{ package Text; sub new { bless { t => $_[1] }, $_[0] } sub type { 'TXT' }
  sub txtdata { $_[0]{t} } sub char_str_list { ($_[0]{t}) } }
no warnings 'redefine';
*Mail::DKIM::DNS::query = sub {
	my ($name) = @_; $@ = '';
	return exists $record{$name} ? Text->new($record{$name}) : ();
};
for my $path (@ARGV[1 .. $#ARGV]) {
	my $dkim = Mail::DKIM::Verifier->new;
	open my $f, '<', $path or die; binmode $f;
	local $/ = \65536;
	while (my $part = <$f>) { $dkim->PRINT($part) }
	$dkim->CLOSE;
	my ($ours) = grep { ($_->selector || '') eq 'r' } $dkim->signatures;
	print "$path\t", $ours ? $ours->result : 'none', "\n";
}
'''


@pytest.mark.parametrize('canonicalization', [
    'relaxed/relaxed', 'simple/simple'])
def test_mail_dkim_verifies(lab, keys, folder, canonicalization):
    """The RSA signatures; Mail::DKIM takes body blanks in linear time."""
    daemon = milter(lab, key_directory=folder, oversign_headers='From, To',
                    canonicalization=canonicalization).start()
    records = lab.dir / 'records'
    records.write_text(''.join(f'{name}\t{text}\n'
                               for name, text in keys.records.items()))
    names = {}
    with client(daemon) as connection:
        for name, fields, body, size in messages():
            message = connection.message(fields, body, packet=size)[1]
            path = lab.dir / f'm{len(names)}'
            path.write_bytes(in_transit(message))
            names[str(path)] = name
    done = subprocess.run(['perl', '-e', PERL, records, *names],
                          capture_output=True, text=True, check=True,
                          timeout=300)
    results = dict(line.split('\t') for line in done.stdout.splitlines())
    assert len(results) == len(names) > 150
    bad = {names[path]: result for path, result in results.items()
           if result != 'pass'}
    assert not bad, bad


def test_200000_blanks_take_no_time(lab, keys, folder):
    daemon = milter(lab, key_directory=folder).start()
    body = b' ' * 100000 + b'\r\n' * 50000 + b'\t' * 100000 + b'x'
    with client(daemon) as connection:
        answer, message = connection.message(
            [(b'From', b' a@example.org')], body, packet=7)
    assert answer[0] == ACCEPT and message.count(b'DKIM-Signature:') == 2
    with open(f'/proc/{daemon.pid}/stat') as stat:
        ticks = sum(map(int, stat.read().rsplit(')', 1)[1].split()[11:13]))
    assert ticks / os.sysconf('SC_CLK_TCK') < 5


