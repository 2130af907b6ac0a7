# SPDX-License-Identifier: MIT
# Floor 5: roostctl. It explains with the daemon's own code.
if POLICY
dist_man_MANS += docs/man/roostctl.1
sbin_PROGRAMS += tools/roostctl
tools_roostctl_SOURCES = \
	tools/ctl.h \
	tools/ctl-check.c \
	tools/ctl-explain.c \
	tools/ctl-health.c \
	tools/ctl-json.c tools/ctl-json.h \
	tools/ctl-postconf.c tools/ctl-postconf.h \
	tools/ctl-probe.c \
	tools/roostctl.c
tools_roostctl_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tools_roostctl_LDADD = $(POLICY_LIBS) $(EVENT_LIBS)
if MILTER
tools_roostctl_SOURCES += \
	tools/ctl-dkim.c tools/ctl-dkim.h \
	tools/ctl-dkim-key.c \
	tools/ctl-dkim-mail.c tools/ctl-dkim-mail.h \
	tools/ctl-dkim-test.c \
	tools/ctl-dkim-verify.c
tools_roostctl_CPPFLAGS = $(AM_CPPFLAGS) -DROOST_WITH_MILTER
tools_roostctl_LDADD += libroost-milter.la
endif
endif
