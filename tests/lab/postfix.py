# SPDX-License-Identifier: MIT
"""Postfix of a lab: its own configuration, queue and data folders."""
import grp
import os
import pwd
import subprocess

from .process import Component, LogFile, greets

SMTP_PORT = 10025


class Postfix(Component):
    """settings: main.cf parameters over the defaults below; services: more
    master.cf lines. Mail for `domains` goes to `lmtp` (nodes), all other mail
    to `sink`. Ports beyond the first: {port: [options of smtpd]}."""

    start_timeout = 30

    def __init__(self, lab, name='postfix', host=25, domains=('example.com',),
                 lmtp=(), sink=None, settings=None, ports=None):
        super().__init__(lab, name)
        self.address, self.port = lab.address(host), SMTP_PORT
        self.domains, self.lmtp, self.sink = list(domains), list(lmtp), sink
        self.settings, self.ports = settings or {}, ports or {}
        self.conf = self.dir / 'conf'
        self.queue = self.dir / 'spool'
        self.data = self.dir / 'data'
        self.log = LogFile(self.dir / 'log')

    def prepare(self):
        for folder in (self.conf, self.queue, self.data):
            folder.mkdir(mode=0o755)
        account = pwd.getpwnam('postfix')
        os.chown(self.data, account.pw_uid, account.pw_gid)
        for name in QUEUES + ('public', 'maildrop'):
            (self.queue / name).mkdir(mode=0o700)
            os.chown(self.queue / name, account.pw_uid, account.pw_gid)
        postdrop = grp.getgrnam('postdrop').gr_gid
        for name, mode in (('public', 0o2710), ('maildrop', 0o1730)):
            os.chown(self.queue / name, account.pw_uid, postdrop)
            (self.queue / name).chmod(mode)
        (self.queue / 'pid').mkdir(mode=0o755)
        self.write_conf()

    def write_conf(self):
        main = self._defaults() | self.settings
        (self.conf / 'main.cf').write_text(
            ''.join(f'{key} = {value}\n' for key, value in main.items()))
        lines = [SERVICE.format(name=f'{self.address}:{self.port}',
                                type='inet', program='smtpd')]
        for port, options in self.ports.items():
            lines.append(SERVICE.format(name=f'{self.address}:{port}',
                                        type='inet', program='smtpd'))
            lines += [f'  -o {option}' for option in options]
        (self.conf / 'master.cf').write_text('\n'.join(lines) + MASTER)
        # Postfix waits until a file is two seconds old
        for name in ('main.cf', 'master.cf'):
            os.utime(self.conf / name, (0, 0))

    def _defaults(self):
        nodes = ', '.join(f'inet:[{n.address}]:{n.lmtp_port}'
                          for n in self.lmtp)
        main = {
            'compatibility_level': '3.6',
            'queue_directory': self.queue,
            'data_directory': self.data,
            'maillog_file': self.log.path,
            'maillog_file_prefixes': self.dir,
            'myhostname': 'mx.example.com',
            'mydestination': '',
            'mynetworks': f'{self.address}/32',
            'inet_interfaces': 'loopback-only',
            'inet_protocols': 'ipv4',
            'alias_maps': '',
            'alias_database': '',
            'local_recipient_maps': '',
            'smtpd_peername_lookup': 'no',
            'smtp_dns_support_level': 'disabled',
            'smtp_host_lookup': 'native',
            'smtpd_delay_reject': 'yes',
            'virtual_mailbox_domains': ', '.join(self.domains),
            'virtual_mailbox_maps': 'static:all',
            'default_transport': 'error:no sink',
            'minimal_backoff_time': '1s',
            'maximal_backoff_time': '2s',
            'queue_run_delay': '1s',
        }
        if nodes:
            main['virtual_transport'] = f'lmtp:{nodes}'
        if self.sink:
            main['default_transport'] = \
                f'smtp:[{self.sink.address}]:{self.sink.port}'
        return main

    def sasl(self, node):
        """main.cf settings: users log in through that node's auth."""
        return {'smtpd_sasl_auth_enable': 'yes',
                'smtpd_sasl_type': 'dovecot',
                'smtpd_sasl_path': node.base / 'sasl'}

    def command(self):
        # `postfix start-fg` would check the host's files for two seconds
        folder = subprocess.run(
            ['postconf', '-c', self.conf, '-h', 'daemon_directory'],
            check=True, capture_output=True, text=True).stdout.strip()
        return [f'{folder}/master', '-c', self.conf, '-s']

    def is_ready(self):
        # the first log lines come a second late, by way of postlogd
        return greets(self.address, self.port)

    def queued(self):
        """The queue, as postqueue prints it."""
        return self.run('postqueue', '-c', self.conf, '-p').stdout


QUEUES = ('active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold',
          'incoming', 'private', 'saved', 'trace')
SERVICE = '{name} {type} n - n - - {program}'
MASTER = '''
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
'''
