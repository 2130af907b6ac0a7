# SPDX-License-Identifier: MIT
"""Real mail systems in one private directory, for the tests and the demo.

    with Lab() as lab:
        redis = Redis(lab).start()
        n1 = Dovecot(lab, 'n1', users={'alice': 'secret'}).start()
        with imap(n1, 'alice', 'secret') as client: ...

Everything runs on a private loopback /24, below lab.dir; everything is ended
and removed with the block, also on an exception or a signal. Nothing of the
host's configuration is touched.
"""
from .build import Build
from .clients import imap, lmtp_send, message, smtp, smtp_send
from .daemon import Daemon
from .dkimcheck import dkim_results, public_record
from .dovecot import Dovecot
from .postfix import Postfix
from .postgres import Postgres
from .process import Component, LabError, LogFile, wait_until
from .redis import Redis
from .run import Lab
from .sink import SmtpSink

__all__ = [
    'Build', 'Component', 'Daemon', 'Dovecot', 'Lab', 'LabError', 'LogFile',
    'Postfix', 'Postgres', 'Redis', 'SmtpSink', 'dkim_results', 'imap',
    'lmtp_send', 'message', 'public_record', 'smtp', 'smtp_send',
    'wait_until',
]
