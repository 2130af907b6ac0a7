# SPDX-License-Identifier: MIT
# Floor 2: DKIM (RFC 6376, RFC 8463) on OpenSSL.
