# SPDX-License-Identifier: MIT
"""DKIM seen by somebody else's code: dkimpy, with DNS from a dict."""
import subprocess

import dkim


def dkim_results(message, records):
    """Verifies each signature of a message (bytes). records: DNS name
    (without final dot) -> TXT. Returns a list of (domain, selector,
    algorithm, True or False), topmost signature first."""
    def txt(name, timeout=5):
        del timeout
        text = records.get(name.decode().rstrip('.'))
        return text.encode() if text else None

    results = []
    verifier = dkim.DKIM(message)
    count = sum(name.lower() == b'dkim-signature'
                for name, _ in verifier.headers)
    for index in range(count):
        verifier = dkim.DKIM(message)
        try:
            good = verifier.verify(idx=index, dnsfunc=txt)
        except dkim.DKIMException:
            good = False
        field = {key: value.decode() for key, value in
                 (verifier.signature_fields or {}).items()}
        results.append((field.get(b'd'), field.get(b's'), field.get(b'a'),
                        good))
    return results


def public_record(private_key_pem):
    """The TXT record that belongs to a private key (PEM bytes), made by
    openssl."""
    def openssl(*args, data):
        return subprocess.run(['openssl', *args], input=data, check=True,
                              capture_output=True).stdout
    import base64
    der = openssl('pkey', '-pubout', '-outform', 'DER', data=private_key_pem)
    if b'\x2b\x65\x70' in der[:16]:  # OID 1.3.101.112: the raw key follows
        return 'v=DKIM1; k=ed25519; p=' + \
            base64.b64encode(der[-32:]).decode()
    return 'v=DKIM1; k=rsa; p=' + base64.b64encode(der).decode()
