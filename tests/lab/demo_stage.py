# SPDX-License-Identifier: MIT
"""What runs in the demo: the system with Roost, and a small plain one next
to it for the comparison."""
import platform
import shutil
import subprocess
import time

from .clients import imap
from .daemon import Daemon
from .dkimcheck import public_record
from .dovecot import Dovecot, dovecot_version
from .postfix import Postfix
from .postgres import Postgres
from .redis import Redis
from .run import MAIL_UID
from .sink import SmtpSink

DOMAIN = 'example.com'
ALICE, OUTSIDE = f'alice@{DOMAIN}', 'friend@example.org'
WAITER = f'bob@{DOMAIN}'
PASSWORD = 'secret'
LEASE_TTL = 5  # seconds; the default is 15
PLAIN_PORT, POLICY_PORT, MILTER_PORT = 10027, 10040, 10891

KEYS_SQL = '''
CREATE ROLE roost LOGIN;
CREATE TABLE roost_dkim_keys (
    domain text NOT NULL, selector text NOT NULL, private_key text NOT NULL,
    active boolean NOT NULL DEFAULT true, PRIMARY KEY (domain, selector));
GRANT SELECT ON roost_dkim_keys TO roost;
CREATE FUNCTION roost_dkim_changed() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NOTIFY roost_dkim_keys; RETURN NULL; END $$;
CREATE TRIGGER roost_dkim_changed AFTER INSERT OR UPDATE OR DELETE
    ON roost_dkim_keys EXECUTE FUNCTION roost_dkim_changed();
'''


class Stage:
    def __init__(self, lab):
        self.lab = lab
        users = {ALICE: PASSWORD, WAITER: PASSWORD}
        self.redis, self.pg = Redis(lab), Postgres(lab)
        roost = {'redis': f'{self.redis.address}:{self.redis.port}',
                 'lease_ttl': f'{LEASE_TTL}s', 'pack_interval': '1s'}
        self.nodes = [Dovecot(lab, name, users=users, roost=roost)
                      for name in ('node1', 'node2')]
        # the same without Roost: index folders of their own, one store
        store = lab.dir / 'plain-store'
        self.plain = [
            Dovecot(lab, name, users=users, store=store,
                    index=lab.dir / f'{name}-index')
            for name in ('plain1', 'plain2')]
        self.ingress = f'{lab.address(192)}/26'
        self.masked = lab.address(200)  # all clients, behind the ingress
        self.client = lab.address(77)  # a client seen as itself
        self.sink = SmtpSink(lab)
        self.policy = self.milter = self.postfix = None
        self.records = {}  # DNS: the public keys
        self.died = {}  # node name -> CLOCK_BOOTTIME ns

    def describe(self):
        def first(*argv):
            done = subprocess.run(argv, capture_output=True, text=True)
            return done.stdout.split('\n')[0]
        version = '.'.join(map(str, dovecot_version()))
        postfix = first('postconf', '-dh', 'mail_version')
        redis = first(shutil.which('redis-server') or 'valkey-server',
                      '--version').partition('v=')[2].split(' ')[0]
        pg = first(Postgres.program('postgres'), '--version').split()[2]
        return (f'Dovecot {version}, Postfix {postfix}, Redis {redis}, '
                f'PostgreSQL {pg}, {platform.machine()}, '
                f'Linux {platform.release()}\n'
                f'all of it in {self.lab.dir}, on {self.lab.net}.0/24')

    def start(self):
        self.redis.start()
        self.pg.start()
        self.pg.sql(KEYS_SQL)
        self.add_keys('s1')
        for node in self.nodes:
            node.start()
        self._start_plain()
        self.sink.start()
        self.policy = Daemon(self.lab, 'policy/roost-policyd', {
            'listen': f'inet:{self.lab.address(40)}:{POLICY_PORT}',
            'ingress_networks': self.ingress,
            'trusted_networks': f'{self.lab.address(64)}/26',
            'detect_networks': 'no'}).start()
        self.milter = Daemon(self.lab, 'milter/roost-milter', {
            'listen': f'inet:{self.lab.address(41)}:{MILTER_PORT}',
            'postgres': self.pg.dsn(role='roost'),
            'domains': DOMAIN,
            'internal_networks': f'{self.lab.address(25)}/32',
            'ingress_networks': self.ingress}).start()
        self._start_postfix()

    def _start_plain(self):
        for folder in (self.plain[0].store, *(n.index for n in self.plain)):
            folder.mkdir(mode=0o700)
            shutil.chown(folder, MAIL_UID, MAIL_UID)
        for node in self.plain:
            node.start()

    def _start_postfix(self):
        policy = f'inet:{self.policy.settings["listen"][5:]}'
        self.postfix = Postfix(
            self.lab, lmtp=self.nodes, sink=self.sink, domains=[DOMAIN],
            # without Roost's policy daemon, for the comparison
            ports={PLAIN_PORT: ['smtpd_milters=', 'smtpd_relay_restrictions='
                                'permit_mynetworks,reject_unauth_destination']
                   })
        self.postfix.settings = self.postfix.sasl(self.nodes[1]) | {
            # the mistake of many: clients come from the ingress subnet
            'mynetworks': f'{self.postfix.address}/32 {self.ingress}',
            'smtpd_relay_restrictions':
                f'check_policy_service {policy}, permit_mynetworks, '
                'permit_sasl_authenticated, reject_unauth_destination',
            'smtpd_milters': self.milter.settings['listen'],
            'non_smtpd_milters': '$smtpd_milters',
            'milter_default_action': 'tempfail',
        }
        self.postfix.start()

    def wait_granted(self):
        """Until both nodes serve users; returns the seconds it took."""
        began = time.monotonic()
        for node in self.nodes:
            with imap(node, WAITER, PASSWORD, timeout=4 * LEASE_TTL):
                pass
        return time.monotonic() - began

    def add_keys(self, selector, replace=None):
        """Makes an RSA and an Ed25519 key, publishes both, and puts them
        into PostgreSQL, in one transaction in place of those of another
        selector."""
        sql = 'BEGIN;'
        for suffix, algorithm in (('r', ['RSA', '-pkeyopt',
                                         'rsa_keygen_bits:2048']),
                                  ('e', ['ED25519'])):
            pem = subprocess.run(['openssl', 'genpkey', '-algorithm',
                                  *algorithm], check=True,
                                 capture_output=True).stdout
            name = selector + suffix
            self.records[f'{name}._domainkey.{DOMAIN}'] = public_record(pem)
            sql += (f"INSERT INTO roost_dkim_keys VALUES ('{DOMAIN}', "
                    f"'{name}', '{pem.decode()}');")
            if replace:
                sql += (f"UPDATE roost_dkim_keys SET active = false "
                        f"WHERE selector = '{replace}{suffix}';")
        self.pg.sql(sql + 'COMMIT;')

    def hints(self, keeper):
        """Commands to play with, and how to stop it."""
        # in a chroot its files are seen only from inside
        inside = f'nsenter -t {keeper} -m -r '
        alive = [node for node in self.nodes if node.processes()]
        lines = ['', 'It goes on running. To play with it:']
        for node in alive:
            lines += [
                f'  curl -u {ALICE}:{PASSWORD} '
                f'"imap://{node.address}:{node.imap_port}/INBOX;UID=1"',
                f'  nsenter -t {node.pid} -m -r doveadm -c {node.conf} who',
                f'  {inside}tail -f {node.log.path}']
        lines += [
            f'  {inside}redis-cli -h {self.redis.address} '
            f'-p {self.redis.port} --scan',
            f'  {inside}{Postgres.program("psql")} {self.pg.dsn()}',
            f'  {inside}tail -f {self.postfix.log.path}',
            f'  curl smtp://{self.postfix.address}:{self.postfix.port} '
            f'--mail-from {OUTSIDE} --mail-rcpt {ALICE} -T README.md',
            f'To stop it and remove {self.lab.dir}:', f'  kill {keeper}']
        return '\n'.join(lines)
