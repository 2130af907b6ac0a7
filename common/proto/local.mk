# SPDX-License-Identifier: MIT
# Floor 2: protocols, parsing and formatting only.
