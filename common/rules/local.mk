# SPDX-License-Identifier: MIT
# Floor 2: the decisions, as pure functions; time is an argument.
