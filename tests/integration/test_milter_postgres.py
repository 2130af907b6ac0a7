# SPDX-License-Identifier: MIT
"""Keys in PostgreSQL: changed without a restart, kept when it is away."""
import pytest

from lab import Postgres, wait_until
from milter_site import Keys, get, headers, metric, milter, reply_of, signed_by

TABLE = '''
CREATE TABLE roost_dkim_keys (
    domain text NOT NULL, selector text NOT NULL, private_key text,
    active boolean NOT NULL DEFAULT true, PRIMARY KEY (domain, selector));
CREATE ROLE milter LOGIN;
GRANT SELECT ON roost_dkim_keys TO milter;
'''
UP = 'roost_milter_key_source_up{source="postgres"}'


class Database(Postgres):
    """The table and its keys."""

    keys = Keys()

    def insert(self, domain, selector, kind='rsa', active=True, pem=None):
        pem = pem if pem is not None else \
            self.keys.add(domain, selector, kind).decode()
        return ('INSERT INTO roost_dkim_keys VALUES '
                f"('{domain}', '{selector}', '{pem}', {active});")

    def change(self, *statements):
        """One transaction, with the notification."""
        self.sql('BEGIN;' + ''.join(statements) +
                 'NOTIFY roost_dkim_keys; COMMIT;')


@pytest.fixture
def database(lab):
    running = Database(lab).start()
    running.sql(TABLE)
    return running


def pg_milter(lab, database, **settings):
    return milter(lab, **({'postgres': database.dsn(role='milter'),
                           'key_poll_interval': '1h'} | settings))


def ready(daemon):
    wait_until(lambda: get(daemon, '/readyz')[0] == 200, 10, 'ready')
    return daemon


def test_keys_change_by_notification(lab, database):
    database.change(database.insert('example.org', 'one'),
                    database.insert('example.org', 'e', 'ed25519'),
                    database.insert('example.org', 'no', active=False))
    daemon = ready(pg_milter(lab, database).start())
    assert signed_by(daemon, database.keys) == {'one', 'e'}
    database.change(
        "UPDATE roost_dkim_keys SET active = selector = 'e';",
        database.insert('example.org', 'two'),
        database.insert('new.example', 'n'))
    wait_until(lambda: signed_by(daemon, database.keys) == {'two', 'e'}, 5,
               'the new selector')
    assert signed_by(daemon, database.keys,
                     fields=headers(b' a@new.example')) == {'n'}
    database.change("DELETE FROM roost_dkim_keys WHERE domain='new.example';")
    wait_until(lambda: signed_by(
        daemon, database.keys, fields=headers(b' a@new.example')) == set(), 5,
        'not ours any more')


def test_a_change_without_notification_is_polled(lab, database):
    database.change(database.insert('example.org', 'one'))
    daemon = ready(pg_milter(lab, database,
                             key_poll_interval='200ms').start())
    mark = daemon.log.mark()
    database.sql("UPDATE roost_dkim_keys SET active=false;" +
                 database.insert('example.org', 'two'))
    wait_until(lambda: signed_by(daemon, database.keys) == {'two'}, 5, 'two')
    # unchanged rows are no news
    assert len(daemon.log.lines('event=keys_loaded', mark)) == 1


def test_the_last_keys_stay_while_the_database_is_away(lab, database):
    database.change(database.insert('example.org', 'one'))
    daemon = ready(pg_milter(lab, database).start())
    database.stop()
    daemon.log.wait_for('event=keys_failed source=postgres kept=last_good')
    for _ in range(5):
        assert signed_by(daemon, database.keys) == {'one'}
    assert metric(daemon, UP) == 0 and get(daemon, '/readyz')[0] == 200
    # a reload of the settings does not lose them, either
    daemon.reload()
    daemon.log.wait_for('event=reloaded')
    assert signed_by(daemon, database.keys) == {'one'}
    database.start()
    # what changes before the milter is back is read on reconnecting
    database.sql("UPDATE roost_dkim_keys SET active=false;" +
                 database.insert('example.org', 'two'))
    wait_until(lambda: signed_by(daemon, database.keys) == {'two'}, 20,
               'read again')
    wait_until(lambda: metric(daemon, UP) == 1, 5, 'up')
    assert len(daemon.log.lines('event=keys_failed')) <= 2


def test_no_database_at_the_start(lab, database):
    """Mail waits: it is not known whose is ours."""
    database.change(database.insert('example.org', 'one'))
    database.stop()
    daemon = pg_milter(lab, database).start()
    status, why = get(daemon, '/readyz')
    assert status == 503 and 'postgres' in why
    assert get(daemon, '/livez')[0] == 200
    assert reply_of(daemon).startswith('451 4.7.5')
    assert signed_by(daemon, database.keys, address='192.0.2.1') == set()
    database.start()
    ready(daemon)
    assert signed_by(daemon, database.keys) == {'one'}


def test_a_bad_row_is_named_and_the_old_key_stays(lab, database):
    database.change(database.insert('example.org', 'one'),
                    database.insert('example.com', 'one'))
    daemon = ready(pg_milter(lab, database).start())
    database.change(
        "UPDATE roost_dkim_keys SET active=false WHERE domain='example.org';",
        database.insert('example.org', 'two', pem='garbage'),
        database.insert('example.net', 'null', pem='x'),
        "UPDATE roost_dkim_keys SET private_key=NULL "
        "WHERE domain='example.net';",
        database.insert('not..a.name', 's', pem='x'))
    for problem in (r'place="row 3 \(example.org\)" msg="domain example.org, '
                    r'selector two: no PEM private key"',
                    r'place="row 2 \(example.net\)" .*the key is NULL',
                    r'place="row 4 \(not..a.name\)" msg="bad domain name"'):
        daemon.log.wait_for(
            'level=error event=key_problem source=postgres ' + problem)
    assert signed_by(daemon, database.keys) == {'one'}
    assert reply_of(daemon, fields=headers(b' a@example.net')).startswith(
        '451')
    assert signed_by(daemon, database.keys,
                     fields=headers(b' a@example.com')) == {'one'}
    assert 'garbage' not in daemon.log.text()


@pytest.mark.parametrize('settings,problem', [
    ({'postgres_table': 'no_such_table'}, 'no_such_table'),
    ({'postgres_query': 'SELECT 1'}, 'gives 1 columns'),
    ({'postgres_query': 'not sql'}, 'syntax error'),
    ({'postgres_query': 'DELETE FROM roost_dkim_keys'}, 'permission denied'),
])
def test_a_wrong_query_is_reported(lab, database, settings, problem):
    database.change(database.insert('example.org', 'one'))
    daemon = pg_milter(lab, database).start()
    ready(daemon)
    daemon.write_conf(**settings)
    daemon.reload()
    daemon.log.wait_for('event=keys_failed source=postgres kept=last_good .*' +
                        problem)
    assert signed_by(daemon, database.keys) == {'one'}


def test_another_schema_by_a_query(lab, database):
    pem = database.keys.add('example.org', 'mailu').decode()
    database.sql("CREATE TABLE d (name text, sel text, key text);"
                 f"INSERT INTO d VALUES ('example.org', 'mailu', '{pem}');"
                 'GRANT SELECT ON d TO milter')
    daemon = ready(pg_milter(
        lab, database, postgres_query='SELECT name, sel, key FROM d').start())
    assert signed_by(daemon, database.keys) == {'mailu'}
