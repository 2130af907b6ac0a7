dnl SPDX-License-Identifier: MIT
dnl ROOST_DOVECOT: find an installed (or built) Dovecot through the
dnl dovecot-config file that every dovecot-dev ships. Dovecot's own dovecot.m4
dnl is not used: its two releases differ, and one recurses under distcheck.
dnl Sets DOVECOT_CPPFLAGS, LIBDOVECOT*, dovecot_moduledir, dovecot_libexecdir,
dnl dovecot_pkglibdir (where libdovecot is, for the run path of programs).
AC_DEFUN([ROOST_DOVECOT], [
AC_ARG_WITH([dovecot], [AS_HELP_STRING([--with-dovecot=DIR],
	[directory that holds dovecot-config])],
	[roost_dc_dirs=$withval],
	[roost_dc_dirs="/usr/lib/dovecot /usr/lib64/dovecot /usr/local/lib/dovecot"])
AC_ARG_WITH([dovecot-install], [AS_HELP_STRING([--with-dovecot-install=DIR],
	[install plugins and agent below DIR instead of into Dovecot's own folders])],
	[], [with_dovecot_install=])
AC_MSG_CHECKING([for dovecot-config])
roost_dc=
for dir in $roost_dc_dirs; do
	AS_IF([test -z "$roost_dc" && test -r "$dir/dovecot-config"],
		[roost_dc="$dir/dovecot-config"])
done
AS_IF([test -z "$roost_dc"], [
	AC_MSG_RESULT([no])
	AC_MSG_ERROR([dovecot-config not found in $roost_dc_dirs: install dovecot-dev (Fedora: dovecot-devel), or use --with-dovecot=DIR or --without-dovecot-plugins])
])
AC_MSG_RESULT([$roost_dc])
roost_dc_get() {
	( . "$roost_dc" && eval "printf '%s\n' \"\$$[1]\"" )
}
dnl System headers: Dovecot's own inline functions do not pass -Wconversion.
DOVECOT_CPPFLAGS=`roost_dc_get LIBDOVECOT_INCLUDE | $SED 's/-I */-isystem /g'`
LIBDOVECOT=`roost_dc_get LIBDOVECOT`
LIBDOVECOT_STORAGE=`roost_dc_get LIBDOVECOT_STORAGE`
dovecot_moduledir=`roost_dc_get dovecot_moduledir`
dovecot_libexecdir=`roost_dc_get dovecot_pkglibexecdir`
dovecot_pkglibdir=`roost_dc_get dovecot_pkglibdir`
AS_IF([test -n "$with_dovecot_install"], [
	dovecot_moduledir="$with_dovecot_install/modules"
	dovecot_libexecdir="$with_dovecot_install"
])
roost_save_CPPFLAGS=$CPPFLAGS
CPPFLAGS="$CPPFLAGS $DOVECOT_CPPFLAGS -DHAVE_CONFIG_H"
AC_MSG_CHECKING([for the Dovecot release])
roost_dovecot_version=`printf '#include "config.h"\nroost PACKAGE_VERSION\n' |
	$CC -E -P $DOVECOT_CPPFLAGS - 2>/dev/null |
	$SED -n 's/^roost "\(.*\)"$/\1/p'`
AC_MSG_RESULT([$roost_dovecot_version])
dnl Distributions patch struct layouts without changing the ABI version.
AC_CHECK_MEMBER([struct auth_passdb.username_filter], [], [],
	[#include "lib.h"
#include "auth-common.h"
#include "auth.h"])
CPPFLAGS=$roost_save_CPPFLAGS
AS_CASE([$roost_dovecot_version],
	[2.3.*], [roost_dovecot_24=0],
	[2.4.*], [roost_dovecot_24=1],
	[AC_MSG_ERROR([Dovecot "$roost_dovecot_version" is neither 2.3 nor 2.4])])
dnl For dovecot-plugins/compat alone. Not in roost-config.h: that cannot stand
dnl beside Dovecot's config.h.
AS_CASE([$ac_cv_member_struct_auth_passdb_username_filter],
	[yes], [roost_auth_filters=1], [roost_auth_filters=0])
DOVECOT_CPPFLAGS="$DOVECOT_CPPFLAGS -DROOST_DOVECOT_24=$roost_dovecot_24 -DROOST_AUTH_ENTRY_FILTERS=$roost_auth_filters"
AC_SUBST([DOVECOT_CPPFLAGS])
AC_SUBST([LIBDOVECOT])
AC_SUBST([LIBDOVECOT_STORAGE])
AC_SUBST([dovecot_moduledir])
AC_SUBST([dovecot_libexecdir])
AC_SUBST([dovecot_pkglibdir])
])
