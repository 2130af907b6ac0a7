# SPDX-License-Identifier: MIT
"""Clients: IMAP (with the modseq commands imaplib has not), SMTP, LMTP."""
import imaplib
import re
import smtplib
import socket
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

imaplib.Commands.setdefault('ENABLE', ('AUTH',))
TIMEOUT = 15


CLIENT_HOST = 100  # the address of clients in the lab's network


class imap(imaplib.IMAP4):  # used like a function
    """A logged-in IMAP session; as a context manager it logs out."""

    def __init__(self, node, user, password, source=None, timeout=TIMEOUT):
        self._source = source or node.lab.address(CLIENT_HOST)
        super().__init__(node.address, node.imap_port, timeout)
        self.greeting = self.welcome.decode()
        self.login(user, password)

    def _create_socket(self, timeout):
        return socket.create_connection((self.host, self.port), timeout,
                                        (self._source, 0))

    def ok(self, name, *args):
        """A command that must succeed; returns its untagged data."""
        kind, data = getattr(self, name)(*args)
        if kind != 'OK':
            raise self.error(f'{name} {args}: {kind} {data}')
        return data

    def status_items(self, mailbox='INBOX', items='MESSAGES UIDNEXT '
                     'UIDVALIDITY HIGHESTMODSEQ'):
        """STATUS as a dict of int."""
        data = self.ok('status', mailbox, f'({items})')[0].decode()
        return {name: int(value) for name, value in
                re.findall(r'([A-Z]+) (\d+)', data[data.rindex('('):])}

    def highestmodseq(self, mailbox='INBOX'):
        """As SELECT shows it."""
        self.ok('enable', 'CONDSTORE')
        self.ok('select', mailbox)
        return int(self.response('HIGHESTMODSEQ')[1][0])

    def enable_qresync(self):
        self.ok('enable', 'QRESYNC')

    def raw(self, line):
        """Sends a command as it is; returns (status, all lines before the
        tagged one). For what imaplib cannot parse. No literals."""
        tag = self._new_tag()
        self.send(tag + b' ' + line.encode() + b'\r\n')
        lines = []
        while True:
            answer = self.readline()
            if not answer:
                raise self.abort('connection closed')
            if answer.startswith(tag + b' '):
                return answer.split()[1].decode(), lines
            lines.append(answer.decode().rstrip())


def message(sender, recipient, subject='test', body='Hello.\r\n', **headers):
    """A small message as bytes, CRLF line ends."""
    mail = EmailMessage()
    mail['From'], mail['To'], mail['Subject'] = sender, recipient, subject
    mail['Date'] = formatdate()
    mail['Message-ID'] = make_msgid(domain=sender.rpartition('@')[2])
    for name, value in headers.items():
        mail[name.replace('_', '-')] = value
    mail.set_content(body)
    return re.sub(rb'\r?\n', b'\r\n', bytes(mail))


def smtp(server, source=None, port=None, login=None, timeout=TIMEOUT):
    """A session with a Postfix of the lab; source: the client's address,
    login: (user, password). Closes as a context manager."""
    client = smtplib.SMTP(server.address, port or server.port, 'client.test',
                          timeout, (source, 0) if source else None)
    client.ehlo_or_helo_if_needed()
    if login:
        client.login(*login)
    return client


def smtp_send(server, sender, recipient, data=None, **options):
    """Sends one message in a session of its own."""
    with smtp(server, **options) as client:
        client.sendmail(sender, [recipient],
                        data or message(sender, recipient))


def lmtp_send(node, sender, recipient, data=None, timeout=TIMEOUT):
    """Delivers straight to a node."""
    with smtplib.LMTP(node.address, node.lmtp_port, 'client.test',
                      (node.lab.address(CLIENT_HOST), 0),
                      timeout=timeout) as client:
        client.sendmail(sender, [recipient],
                        data or message(sender, recipient))
