# SPDX-License-Identifier: MIT
# Floor 3: the runtime that roost-milter and roost-policyd share.
if DAEMON
endif
