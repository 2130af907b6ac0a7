# SPDX-License-Identifier: MIT
"""Sender addresses and logins: from files and from PostgreSQL, and when
those are away."""
import pytest

from lab import Postgres, wait_until
from test_limits import TEMPFAIL, login
from test_policy import DUNNO, REJECT, Policyd, ask, request

NOT_OWNER = b'action=553 5.7.1 Sender address is not yours\n\n'

MAILU = '''
CREATE TABLE domain (name text);
CREATE TABLE alternative (name text, domain_name text);
CREATE TABLE "user" (email text, enabled boolean);
CREATE TABLE alias (email text, destination text, wildcard boolean,
                    disabled boolean);
INSERT INTO domain VALUES ('example.com');
INSERT INTO alternative VALUES ('example.net', 'example.com');
INSERT INTO "user" VALUES ('alice@example.com', true),
                          ('bob@example.com', true);
INSERT INTO alias VALUES
    ('info@example.com', 'bob@example.com,alice@example.com', false, false),
    ('off@example.com', 'alice@example.com', false, true);
'''
POSTFIXADMIN = '''
CREATE TABLE domain (domain text, active boolean);
CREATE TABLE alias_domain (alias_domain text, target_domain text,
                           active boolean);
CREATE TABLE mailbox (username text, active boolean);
CREATE TABLE alias (address text, goto text, active boolean);
INSERT INTO domain VALUES ('example.com', true), ('ALL', true);
INSERT INTO alias_domain VALUES ('example.net', 'example.com', true);
INSERT INTO mailbox VALUES ('alice@example.com', true),
                           ('bob@example.com', true);
INSERT INTO alias VALUES
    ('alice@example.com', 'alice@example.com', true),
    ('info@example.com', 'bob@example.com,alice@example.com', true),
    ('off@example.com', 'alice@example.com', false);
'''
# sender, answer for alice@example.com
CASES = [
    ('alice@example.com', DUNNO),
    ('ALICE@Example.COM', DUNNO),
    ('alice+tag@example.com', DUNNO),
    ('', DUNNO),
    ('info@example.com', DUNNO),
    ('info+tag@example.com', DUNNO),
    ('alice@example.net', DUNNO),
    ('bob@example.com', NOT_OWNER),
    ('bob@example.net', NOT_OWNER),
    ('off@example.com', NOT_OWNER),
    ('nobody@example.com', NOT_OWNER),
    ('alice', NOT_OWNER),
    ('alice@bob@example.com', NOT_OWNER),
]


def check(policyd, cases):
    with policyd.connect() as connection:
        for sender, answer in cases:
            assert ask(connection, login(sender=sender)) == answer, sender


def test_files(lab):
    (lab.dir / 'domains').write_text('example.com x\nexample.net x\n')
    (lab.dir / 'senders').write_text(
        'info@example.com bob@example.com, alice@example.com\n'
        'alice@example.net alice@example.com\n'
        '@team.example alice@example.com\n')
    policyd = Policyd(
        lab, sender_login='local', local_domains=f'hash:{lab.dir}/domains',
        sender_logins=f'hash:{lab.dir}/senders').start()
    check(policyd, CASES + [('x@team.example', DUNNO),
                            ('alice@elsewhere.test', DUNNO)])
    policyd.log.wait_for('verdict=not-owner rule=sender-not-owned .*'
                         'user=alice@example.com')
    policyd.write_conf(sender_login='strict')
    policyd.reload()
    policyd.log.wait_for('event=reloaded')
    check(policyd, CASES + [('x@team.example', DUNNO),
                            ('alice@elsewhere.test', NOT_OWNER)])
    # whoever has not logged in is not concerned
    with policyd.connect() as connection:
        assert ask(connection, request(
            '192.0.2.7', sender='bob@example.com')) == DUNNO
        assert ask(connection, request(sender='bob@example.com')) == REJECT


@pytest.mark.parametrize('preset', ['mailu', 'postfixadmin'])
def test_presets_and_postgres_away(lab, preset):
    pg = Postgres(lab).start()
    pg.sql(MAILU if preset == 'mailu' else POSTFIXADMIN)
    policyd = Policyd(
        lab, sender_login='local', table_preset=preset, postgres=pg.dsn(),
        local_domains='pgsql:', sender_logins='pgsql:', max_stale='3s',
        table_refresh='1s').start()
    wait_until(lambda: policyd.get('/readyz')[0] == 200, 10, 'tables')
    check(policyd, CASES + [('alice@elsewhere.test', DUNNO)])
    column = 'email' if preset == 'mailu' else 'address'
    pg.sql(f"UPDATE alias SET {column} = 'sales@example.com' "
           f"WHERE {column} = 'info@example.com'; NOTIFY roost_policy")
    with policyd.connect() as connection:
        wait_until(lambda: ask(connection, login(
            sender='sales@example.com')) == DUNNO, 10, 'the new alias')
        assert ask(connection,
                   login(sender='info@example.com')) == NOT_OWNER
        pg.kill()
        policyd.log.wait_for('event=postgres_away')
        # the last known tables, then a temporary failure: for logins alone
        assert ask(connection, login(sender='sales@example.com')) == DUNNO
        wait_until(lambda: ask(connection, login(
            sender='sales@example.com')) == TEMPFAIL, 15, 'stale')
        assert ask(connection, login(sender='bob@example.com')) == TEMPFAIL
        assert ask(connection, request()) == REJECT
        assert ask(connection, request('192.0.2.7')) == DUNNO
        pg.start()
        wait_until(lambda: ask(connection, login(
            sender='sales@example.com')) == DUNNO, 20, 'PostgreSQL is back')
        assert ask(connection, login(sender='bob@example.com')) == NOT_OWNER


def test_before_the_first_table(lab):
    policyd = Policyd(lab, sender_login='strict',
                      sender_logins=f'hash:{lab.dir}/senders').start()
    check(policyd, [('alice@example.com', DUNNO),
                    ('info@example.com', TEMPFAIL)])
    assert policyd.get('/readyz')[0] == 503
    (lab.dir / 'senders').write_text('info@example.com alice@example.com\n')
    with policyd.connect() as connection:
        wait_until(lambda: ask(connection, login(
            sender='info@example.com')) == DUNNO, 10, 'the table')


def test_bad_settings(lab):
    policyd = Policyd(lab).start()
    for options, error in (
            (['sender_login=local'], 'sender_login: local needs'),
            (['local_domains=x'], "local_domains: 'x' is not hash:/path"),
            (['sender_logins=pgsql:', 'postgres=host=x'],
             'sender_logins: pgsql: needs a query')):
        done = policyd.run(policyd.program, '-t', '-c', policyd.conf,
                           *[word for o in options for word in ('-o', o)],
                           check=False)
        assert done.returncode == 1 and error in done.stderr, done.stderr
