# SPDX-License-Identifier: MIT
if MILTER
endif
