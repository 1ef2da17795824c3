/* Addresses as people write them, and as the log shows them. */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/un.h>

#include <cmocka.h>

static struct address
numeric(const char *host, uint16_t port)
{
	struct address a;

	assert_int_equal(address_from_numeric(slice_of(host), port, &a), 0);
	return a;
}

static struct address
path(const char *text)
{
	struct address a;

	assert_int_equal(address_from_path(slice_of(text), &a), 0);
	return a;
}

static void
a_host_and_a_port_come_apart(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} rows[] = {
		{ "localhost:8080", "localhost", 8080 },
		{ "127.0.0.1:0", "127.0.0.1", 0 },
		{ "[::1]:65535", "::1", 65535 },
		{ "[fe80::1%lo]:22", "fe80::1%lo", 22 },
		{ ":80", "", 80 },
		{ "6080", "", 6080 },
		{ "a-b.example.:1", "a-b.example.", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice host = { NULL, 99 };
		uint16_t port = 4242;
		assert_int_equal(address_split(slice_of(rows[i].text), &host, &port), 0);
		assert_true(slice_same(host, slice_of(rows[i].host)));
		assert_int_equal(port, rows[i].port);
	}
}

static void
what_is_no_address_is_refused_and_touches_nothing(void **state)
{
	static const char *const rows[] = { "", ":", "host", "host:", "host:65536", "host:-1", "host:+1", "host: 80", "host:80 ",
		"host:8o", "::1", "::1:80", "[::1]", "[::1]80", "[::1]:", "[::1", "::1]:80", "[]:80", "[localhost]:80",
		"[[::1]]:80", "a]:80", "host:99999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice host = { "kept", 4 };
		uint16_t port = 4242;
		if (address_split(slice_of(rows[i]), &host, &port) != -1)
			fail_msg("\"%s\" was taken", rows[i]);
		assert_true(slice_equals(host, "kept"));
		assert_int_equal(port, 4242);
	}
}

static void
a_slice_is_read_to_its_end_and_no_further(void **state)
{
	struct slice host;
	uint16_t port;
	struct address a;

	(void)state;
	assert_int_equal(address_split((struct slice){ "h:8080", 4 }, &host, &port), 0);
	assert_int_equal(port, 80);
	assert_int_equal(address_from_numeric((struct slice){ "127.0.0.12", 9 }, 1, &a), 0);
	assert_true(address_is_loopback(&a));
	assert_int_equal(address_from_numeric((struct slice){ "1.2.3.4\0x", 9 }, 1, &a), -1);
}

static void
numbers_are_taken_and_names_are_not(void **state)
{
	static const char *const names[] = { "", "localhost", "127.1", "1", "0x7f.0.0.1", "127.0.0.1.", "256.0.0.1", "127.0.0.1%lo",
		"::1%no-such-interface", "::1%", "1::2::3", "[::1]", "::1 ",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001" };
	struct address a = { .len = 77 };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (address_from_numeric(slice_of(names[i]), 1, &a) != -1)
			fail_msg("\"%s\" was taken", names[i]);
	assert_int_equal(a.len, 77);
	a = numeric("192.0.2.1", 80);
	assert_int_equal(a.len, sizeof(struct sockaddr_in));
	assert_int_equal(address_port(&a), 80);
	a = numeric("2001:db8::1", 443);
	assert_int_equal(a.len, sizeof(struct sockaddr_in6));
	assert_int_equal(address_port(&a), 443);
}

static void
a_zone_may_be_a_name_or_a_number(void **state)
{
	char by_name[ADDRESS_TEXT_MAX], by_number[ADDRESS_TEXT_MAX], host[ADDRESS_TEXT_MAX];
	struct address named = numeric("fe80::1%lo", 80), numbered = numeric("fe80::1%1", 80);
	struct address absent = numeric("fe80::1%4000000000", 80);

	(void)state;
	assert_string_equal(address_format(&named, by_name), "[fe80::1%lo]:80");
	assert_string_equal(address_format(&numbered, by_number), by_name);
	assert_string_equal(address_format_host(&named, host), "fe80::1%lo");
	assert_string_equal(address_format_host(&absent, host), "fe80::1%4000000000");
}

static void
what_is_written_can_be_read_again(void **state)
{
	static const char *const rows[] = { "127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80", "[::]:0",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[::ffff:192.0.2.1]:1" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice host;
		uint16_t port;
		struct address a;
		char out[ADDRESS_TEXT_MAX];
		assert_int_equal(address_split(slice_of(rows[i]), &host, &port), 0);
		assert_int_equal(address_from_numeric(host, port, &a), 0);
		assert_string_equal(address_format(&a, out), rows[i]);
	}
}

static void
a_mapped_client_is_shown_as_the_ipv4_one_it_is(void **state)
{
	char out[ADDRESS_TEXT_MAX];
	struct address a = numeric("::ffff:192.0.2.1", 80);

	(void)state;
	assert_string_equal(address_format_host(&a, out), "192.0.2.1");
}

static void
a_peer_that_was_shortened_is_told_as_before(void **state)
{
	static const char *const rows[][2] = { { "192.0.2.1", "192.0.2.1:1234" }, { "::1", "[::1]:1234" },
		{ "fe80::1%lo", "[fe80::1%lo]:1234" }, { "::ffff:192.0.2.1", "192.0.2.1:1234" } };
	char out[ADDRESS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a = numeric(rows[i][0], 1234);
		struct address_short brief = address_shorten(&a);
		a = address_restore(&brief);
		assert_string_equal(address_format(&a, out), rows[i][1]);
	}
	struct address un = path("/run/a.sock");
	struct address_short left = address_shorten(&un);
	un = address_restore(&left);
	assert_string_equal(address_format(&un, out), "unix:");
}

static void
a_unix_socket_has_a_path_or_a_name(void **state)
{
	char out[ADDRESS_TEXT_MAX];
	struct address file = path("/run/wsgate.sock"), abstract = path("@wsgate");

	(void)state;
	assert_int_equal(file.len, offsetof(struct sockaddr_un, sun_path) + sizeof("/run/wsgate.sock"));
	assert_string_equal(address_format(&file, out), "unix:/run/wsgate.sock");
	assert_string_equal(address_format_host(&file, out), "");
	assert_int_equal(address_port(&file), 0);
	assert_int_equal(abstract.len, offsetof(struct sockaddr_un, sun_path) + strlen("@wsgate"));
	assert_string_equal(address_format(&abstract, out), "unix:@wsgate");
}

static void
a_name_of_odd_bytes_is_shown_whole(void **state)
{
	char out[ADDRESS_TEXT_MAX];
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "\0a\0b" };
	struct address a = { .len = offsetof(struct sockaddr_un, sun_path) + 4 };

	(void)state;
	memcpy(&a.storage, &un, sizeof(un));
	assert_string_equal(address_format(&a, out), "unix:@a@b");
}

static void
an_unnamed_peer_has_no_path(void **state)
{
	char out[ADDRESS_TEXT_MAX];
	struct address a;

	(void)state;
	memset(&a, 'x', sizeof(a));
	a.storage.ss_family = AF_UNIX;
	a.len = sizeof(sa_family_t);
	assert_string_equal(address_format(&a, out), "unix:");
	assert_true(address_is_loopback(&a));
}

static void
the_longest_names_fit(void **state)
{
	char text[200], out[ADDRESS_TEXT_MAX];
	struct address a;
	struct sockaddr_un full = { .sun_family = AF_UNIX };

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(address_from_path((struct slice){ text, sizeof(full.sun_path) - 1 }, &a), 0);
	assert_int_equal(strlen(address_format(&a, out)), strlen("unix:") + sizeof(full.sun_path) - 1);
	assert_int_equal(address_from_path((struct slice){ text, sizeof(full.sun_path) }, &a), -1);

	/* The kernel allows a path without its NUL. */
	memset(full.sun_path, 'a', sizeof(full.sun_path));
	a = (struct address){ .len = sizeof(full) };
	memcpy(&a.storage, &full, sizeof(full));
	assert_int_equal(strlen(address_format(&a, out)), strlen("unix:") + sizeof(full.sun_path));
}

static void
a_path_that_would_be_cut_is_refused(void **state)
{
	struct address a = { .len = 77 };

	(void)state;
	assert_int_equal(address_from_path(slice_of(""), &a), -1);
	assert_int_equal(address_from_path(slice_of("@"), &a), -1);
	assert_int_equal(address_from_path((struct slice){ "/a\0b", 4 }, &a), -1);
	assert_int_equal(a.len, 77);
}

static void
only_this_machine_is_loopback(void **state)
{
	static const char *const here[] = { "127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1" };
	static const char *const elsewhere[] = { "0.0.0.0", "126.255.255.255", "128.0.0.1", "192.0.2.127", "::", "::2",
		"::127.0.0.1", "::ffff:192.0.2.1", "fe80::1%lo" };

	(void)state;
	for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++) {
		struct address a = numeric(here[i], 1);
		assert_true(address_is_loopback(&a));
	}
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		struct address a = numeric(elsewhere[i], 1);
		if (address_is_loopback(&a))
			fail_msg("%s is said to be loopback", elsewhere[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_and_a_port_come_apart),
		cmocka_unit_test(what_is_no_address_is_refused_and_touches_nothing),
		cmocka_unit_test(a_slice_is_read_to_its_end_and_no_further),
		cmocka_unit_test(numbers_are_taken_and_names_are_not),
		cmocka_unit_test(a_zone_may_be_a_name_or_a_number),
		cmocka_unit_test(what_is_written_can_be_read_again),
		cmocka_unit_test(a_mapped_client_is_shown_as_the_ipv4_one_it_is),
		cmocka_unit_test(a_peer_that_was_shortened_is_told_as_before),
		cmocka_unit_test(a_unix_socket_has_a_path_or_a_name),
		cmocka_unit_test(a_name_of_odd_bytes_is_shown_whole),
		cmocka_unit_test(an_unnamed_peer_has_no_path),
		cmocka_unit_test(the_longest_names_fit),
		cmocka_unit_test(a_path_that_would_be_cut_is_refused),
		cmocka_unit_test(only_this_machine_is_loopback),
	};

	return cmocka_run_group_tests_name("base/address", tests, NULL, NULL);
}
