# SPDX-License-Identifier: MIT
"""roost-milter behind a real Postfix: every signature verifies where the
message arrives, and nothing goes out unsigned."""
import re
import smtplib
import subprocess
import threading

import pytest

from lab import (Dovecot, Postfix, SmtpSink, message, smtp, smtp_send,
                 wait_until)
from milter_site import Keys, milter
from test_milter_postgres import TABLE, Database, ready

AUTHOR, RECIPIENT = 'a@example.org', 'b@elsewhere.example'


class Site:
    """Postfix with a milter in front, a sink behind."""

    def __init__(self, lab, tcp=False, postfix=None, **settings):
        self.keys = Keys()
        self.folder = lab.dir / 'keys'
        self.folder.mkdir()
        self.inside, self.ingress = lab.address(60), lab.address(70)
        self.milter = milter(lab, tcp=tcp, **({
            'internal_networks': f'{self.inside}, {self.ingress}, '
                                 '127.0.0.1/32',
            'ingress_networks': self.ingress} | settings))
        self.sink = SmtpSink(lab)
        self.postfix = Postfix(lab, sink=self.sink, settings={
            'mynetworks': f'{lab.net}.0/24',
            'smtpd_milters': self.milter.where,
            'non_smtpd_milters': '$smtpd_milters',
            'milter_default_action': 'tempfail',
            'disable_mime_output_conversion': 'yes',
            'smtpd_forbid_bare_newline': 'no',
        } | (postfix or {}))

    def start(self):
        for component in (self.milter, self.sink, self.postfix):
            component.start()
        return self

    def send(self, data=None, source=None, author=AUTHOR, **options):
        """Sends one message; returns it as it arrives."""
        already = len(self.sink.messages())
        smtp_send(self.postfix, author, RECIPIENT, data,
                  source=source or self.inside, **options)
        return self.sink.wait(already + 1)[-1]


@pytest.fixture
def both_keys():
    def write(site):
        site.keys.write(site.folder, 'example.org', 'r')
        site.keys.write(site.folder, 'example.org', 'e', 'ed25519')
        return site.start()
    return write


@pytest.mark.parametrize('tcp', [False, True])
def test_signed_on_the_way_through(lab, both_keys, tcp):
    site = both_keys(Site(lab, tcp, key_directory=lab.dir / 'keys'))
    arrived = site.send()
    assert list(site.keys.signatures(arrived)) == ['r', 'e']
    # this server's Received field stays on top
    assert arrived.startswith(b'Received: from client.test')
    queue = re.search(rb'ESMTP id (\w+)', arrived)[1].decode()
    site.milter.log.wait_for(f'event=dkim_signed queue={queue} '
                             f'client={site.inside} domain=example.org')
    # mynetworks lets it relay; it may be anybody, so it is not signed
    arrived = site.send(source=site.ingress)
    assert b'DKIM-Signature' not in arrived


def test_after_login_from_the_ingress(lab, both_keys):
    node = Dovecot(lab, 'n1', users={AUTHOR: 'secret'}).start()
    site = Site(lab, key_directory=lab.dir / 'keys')
    site.postfix.settings |= site.postfix.sasl(node)
    both_keys(site)
    arrived = site.send(source=site.ingress, login=(AUTHOR, 'secret'))
    assert set(site.keys.signatures(arrived)) == {'r', 'e'}


def test_local_submission_is_signed(lab, both_keys):
    site = both_keys(Site(lab, key_directory=lab.dir / 'keys'))
    subprocess.run(
        site.postfix.inside(['sendmail', '-C', site.postfix.conf, '-f', AUTHOR,
                             RECIPIENT]),
        input=b'Subject: local\n\nHello.\n', check=True, timeout=20)
    arrived = site.sink.wait(1)[0]
    assert set(site.keys.signatures(arrived)) == {'r', 'e'}
    assert b'\r\nFrom: ' in arrived


AWKWARD = {
    'folded': b'From: "A,\r\n\tB"\r\n <a@example.org>\r\nTo: x@y.example,\r\n'
              b' z@y.example\r\nSubject:  two  blanks \r\n\t and\ttab  \r\n'
              b'\r\nHi  \r\n \t\r\n\r\n\r\n',
    '8 bit': b'From: J\xc3\xb6 <a@example.org>\r\nSubject: \xff\xfe\r\n'
             b'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8'
             b'\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa4\xff\r\n',
    'dots': b'From: a@example.org\r\n\r\n.\r\n..\r\n.a\r\n \r\n.\r\n',
    'nothing': b'From: a@example.org\r\n\r\n',
    'no body': b'From: a@example.org\r\n',
    'quoted': b'From: "b@example.com"@example.org\r\nSubject:\r\nTo:x@y.z\r\n'
              b'\r\nFrom me to you\r\nFrom here\r\n',
    'blank before colon': b'From: a@example.org\r\nSubject : x\r\n\r\nHi\r\n',
    'long header': b'From: a@example.org\r\nSubject: ' + b'word ' * 180 +
                   b'\r\nReferences: ' +
                   b'\r\n '.join(b'<%d@example.org>' % i
                                 for i in range(500)) + b'\r\n\r\nHi\r\n',
    'lone CR and VT': b'From: a@example.org\r\nSubject: x\r\n\r\n'
                      b'a\vb \f\r\nc\rd \r\n',
    '998': b'From: a@example.org\r\n\r\n' + b'x' * 998 + b'\r\n',
    'large': b'From: a@example.org\r\nSubject: x\r\n\r\n' +
             b'The quick  brown fox\tjumps over the lazy dog. \r\n' * 40000,
}


@pytest.mark.parametrize('canonicalization', [
    'relaxed/relaxed', 'simple/simple'])
def test_awkward_messages(lab, both_keys, canonicalization):
    site = both_keys(Site(lab, key_directory=lab.dir / 'keys',
                          canonicalization=canonicalization))
    for name, data in AWKWARD.items():
        with smtp(site.postfix, source=site.inside) as client:
            client.mail(AUTHOR, ['BODY=8BITMIME'])
            client.rcpt(RECIPIENT)
            # as it is: data() would change lone CRs
            client.docmd('DATA')
            client.send(re.sub(rb'(?m)^\.', b'..', data) + b'.\r\n')
            assert client.getreply()[0] == 250, name
    arrived = site.sink.wait(len(AWKWARD), timeout=40)
    assert len(arrived) == len(AWKWARD)
    for mail in arrived:
        assert set(site.keys.signatures(mail)) == {'r', 'e'}, mail[:3000]


@pytest.mark.parametrize('data,reply', [
    (b'From: a@example.org\r\nFrom: b@example.org\r\n\r\nHi\r\n',
     (550, b'5.6.0 The message has more than one From header')),
    (b'Subject: none\r\n\r\nHi\r\n',
     (550, b'5.6.0 The message has no From header')),
    (b'From: a@ours.example\r\n\r\nHi\r\n',
     (451, b'4.7.5 The message cannot be signed')),
])
def test_refusals_reach_the_client(lab, both_keys, data, reply):
    site = both_keys(Site(lab, key_directory=lab.dir / 'keys',
                          domains='ours.example',
                          postfix={'always_add_missing_headers': 'no',
                                   'local_header_rewrite_clients': ''}))
    with pytest.raises(smtplib.SMTPDataError) as error:
        site.send(data)
    assert error.value.args == reply
    assert site.sink.messages() == []


def test_nothing_leaves_while_the_milter_is_away(lab, both_keys):
    site = both_keys(Site(lab, key_directory=lab.dir / 'keys'))
    site.milter.kill()
    with pytest.raises(smtplib.SMTPException, match='451 4.7.1|4.7.1'):
        site.send()
    site.milter.start()
    assert set(site.keys.signatures(site.send())) == {'r', 'e'}
    assert len(site.sink.messages()) == 1


class Flow(threading.Thread):
    """Sends one message after the other on one connection."""

    def __init__(self, site, number):
        super().__init__()
        self.site, self.number = site, number
        self.sent, self.go_on, self.errors = 0, True, []

    def run(self):
        try:
            with smtp(self.site.postfix, source=self.site.inside) as client:
                while self.go_on:
                    client.sendmail(AUTHOR, [RECIPIENT], message(
                        AUTHOR, RECIPIENT,
                        subject=f'flow {self.number} {self.sent}'))
                    self.sent += 1
        except (OSError, smtplib.SMTPException) as error:
            self.errors.append(error)


def test_a_key_replaced_in_postgresql_under_flow(lab):
    database = Database(lab).start()
    database.sql(TABLE)
    database.change(database.insert('example.org', 'one'),
                    database.insert('example.org', 'one-e', 'ed25519'))
    site = Site(lab, postgres=database.dsn(role='milter'),
                key_poll_interval='1h')
    site.keys = database.keys
    site.start()
    ready(site.milter)
    pid = site.milter.pid
    flows = [Flow(site, number) for number in range(3)]
    for flow in flows:
        flow.start()
    try:
        wait_until(lambda: all(flow.sent >= 5 for flow in flows), 20, 'sent')
        mark = site.milter.log.mark()
        database.change('UPDATE roost_dkim_keys SET active=false;',
                        database.insert('example.org', 'two'),
                        database.insert('example.org', 'two-e', 'ed25519'))
        site.milter.log.wait_for('event=keys_loaded', since=mark)
        after = [flow.sent for flow in flows]
        wait_until(lambda: all(flow.sent >= 5 + seen for flow, seen in
                               zip(flows, after)), 20, 'sent')
    finally:
        for flow in flows:
            flow.go_on = False
        for flow in flows:
            flow.join(20)
    assert not [flow.errors for flow in flows if flow.errors]
    arrived = site.sink.wait(sum(flow.sent for flow in flows), timeout=40)
    for flow, seen in zip(flows, after):
        # in the order of sending
        mails = sorted(
            (int(found[1]), mail) for mail in arrived
            if (found := re.search(rb'Subject: flow %d (\d+)' % flow.number,
                                   mail)))
        assert len(mails) == flow.sent
        selectors = [frozenset(site.keys.signatures(mail))
                     for _, mail in mails]
        old, new = frozenset(('one', 'one-e')), frozenset(('two', 'two-e'))
        first = selectors.index(new)
        assert selectors == [old] * first + [new] * (len(mails) - first)
        # one message may have been under way while the keys were read
        assert 0 < first <= seen + 1
    assert site.milter.pid == pid and site.milter.popen.poll() is None


def test_postgresql_stopped_under_flow(lab):
    database = Database(lab).start()
    database.sql(TABLE)
    database.change(database.insert('example.org', 'one'))
    site = Site(lab, postgres=database.dsn(role='milter'))
    site.keys = database.keys
    site.start()
    ready(site.milter)
    assert set(site.keys.signatures(site.send())) == {'one'}
    database.kill()
    site.milter.log.wait_for('event=keys_failed .*kept=last_good')
    assert set(site.keys.signatures(site.send())) == {'one'}
