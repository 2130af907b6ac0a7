# SPDX-License-Identifier: MIT
if POLICY
endif
