# SPDX-License-Identifier: MIT
"""Dovecot configuration of a lab node, for 2.3 and 2.4, as nested dicts."""
from .run import MAIL_UID


def render(conf, indent=''):
    """Dovecot's configuration syntax; a dict becomes a block. What follows
    # in a name only tells two blocks of the same name apart."""
    text = ''
    for key, value in conf.items():
        key = key.partition('#')[0]
        if isinstance(value, dict):
            text += f'{indent}{key} {{\n{render(value, indent + "  ")}' \
                    f'{indent}}}\n'
        else:
            if isinstance(value, bool):
                value = 'yes' if value else 'no'
            text += f'{indent}{key} = {value}\n'
    return text


def base_conf(node):
    """A plain node: one address, passwd-file users, maildir."""
    new = node.version >= (2, 4)
    conf = {}
    if new:  # must come first
        version = '.'.join(map(str, node.version))
        conf |= {'dovecot_config_version': version,
                 'dovecot_storage_version': version}
    conf |= {
        'base_dir': node.base,
        'state_dir': node.dir / 'state',
        'instance_name': node.name,
        'log_path': node.log.path,
        'listen': node.address,
        'protocols': 'imap pop3 lmtp',
        'ssl': 'no',
        'auth_mechanisms': 'plain login',
        'mail_uid': MAIL_UID,
        'mail_gid': MAIL_UID,
        'first_valid_uid': MAIL_UID,
        'mail_max_userip_connections': 200,
        'postmaster_address': 'postmaster@example.com',
        'mail_fsync': 'optimized',
    }
    conf |= _mail_24(node) if new else _mail_23(node)
    conf |= {
        'service imap-login': {
            'inet_listener imap': {'port': node.imap_port},
            'inet_listener imaps': {'port': 0}},
        'service pop3-login': {
            'inet_listener pop3': {'port': node.pop3_port},
            'inet_listener pop3s': {'port': 0}},
        'service lmtp': {'inet_listener lmtp': {'port': node.lmtp_port}},
        # for Postfix, which is not in dovecot's groups
        'service auth': {'unix_listener sasl': {'mode': '0666'}},
    }
    return conf


def _mail_23(node):
    index = f':INDEX={node.index}/%u' if node.index else ''
    return {
        'disable_plaintext_auth': False,
        'log_timestamp': '"%Y-%m-%d %H:%M:%S.%{usecs} "',
        'mail_home': f'{node.store}/%u',
        'mail_location': f'maildir:~/Maildir{index}',
        'namespace inbox': {'inbox': True, 'separator': '/'},
        'passdb': {'driver': 'passwd-file', 'args': node.passwd},
        'userdb': {'driver': 'passwd-file', 'args': node.passwd},
    }


def _mail_24(node):
    conf = {
        'auth_allow_cleartext': True,
        'log_timestamp': '"%Y-%m-%d %H:%M:%S.%{usecs} "',
        'mail_home': f'{node.store}/%{{user}}',
        'mail_driver': 'maildir',
        'mail_path': '~/Maildir',
        'namespace inbox': {'inbox': True, 'separator': '/'},
        'passdb passwd-file': {'passwd_file_path': node.passwd},
        'userdb passwd-file': {'passwd_file_path': node.passwd},
    }
    if node.index:
        conf['mail_index_path'] = f'{node.index}/%{{user}}'
    return conf


def roost_conf(node, settings):
    """What a site adds for Roost; the settings without their roost_."""
    values = {'roost_node': node.name,
              'roost_node_addr': node.address,
              'roost_node_ports': f'imap:{node.imap_port} '
                                  f'pop3:{node.pop3_port} '
                                  f'lmtp:{node.lmtp_port}',
              'roost_index_root': node.dir / 'index'}
    values |= {f'roost_{name}': value for name, value in settings.items()}
    conf = {
        # the nodes; LMTP's proxy connections come from 127.0.0.1 here
        'login_trusted_networks': f'{node.lab.address(0)}/28 127.0.0.1',
        'login_source_ips': node.address,
        'lmtp_proxy': True,
    }
    if node.version >= (2, 4):
        return conf | values | {'mail_plugins': {'roost': True},
                                'passdb roost': {}}
    return conf | {'mail_plugins': 'roost', 'plugin': values,
                   'passdb#roost': {'driver': 'roost'}}
