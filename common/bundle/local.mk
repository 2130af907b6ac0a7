# SPDX-License-Identifier: MIT
# Floor 2: the index bundle format (zstd, SHA-256).
