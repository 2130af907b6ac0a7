# SPDX-License-Identifier: MIT
# Build and check scripts.
EXTRA_DIST += build-aux/git-version-gen build-aux/roost-dovecot.m4 \
	build-aux/run-test build-aux/check-floors.sh build-aux/check-exports.sh \
	build-aux/install-deps build-aux/with-debian13 build-aux/pytest.sh \
	build-aux/tree-files build-aux/build-tree .ci/run
TESTS += build-aux/check-floors.sh build-aux/check-exports.sh
