/* SPDX-License-Identifier: MIT */
/*
 * from-address: the author's domain out of a From header (RFC 5322 section
 * 3.4 with the obsolete forms of words, comments and dots, but no routes).
 *
 * The text is cut into tokens; an address list is then read from them with
 * one token of look-ahead.
 */
#include "common/dkim/from-address.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAX_ADDRESSES 100
#define MAX_COMMENT_DEPTH 32

enum token {
	T_END,
	T_ATOM,
	T_QUOTED,
	T_LITERAL,
	T_SPECIAL, /* one of . @ < > , : ; */
	T_BAD,
};

struct scanner {
	const char *p, *end;
	enum token token;
	const char *text; /* of the token */
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* atext of RFC 5322, and the UTF-8 of RFC 6532 */
static bool is_atext(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 0x80 ||
	       (u > 0x20 && u < 0x7f && strchr("()<>[]:;@\\,.\"", c) == NULL);
}

/* What may stand nowhere, not even quoted. */
static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && !is_blank(c)) || c == 0x7f;
}

/* At "(": to behind the ")" that belongs to it; false when there is none. */
static bool skip_comment(struct scanner *s)
{
	unsigned int depth = 0;

	for (; s->p < s->end && !is_control(*s->p); s->p++) {
		if (*s->p == '\\') {
			if (++s->p == s->end || is_control(*s->p))
				return false;
		} else if (*s->p == '(') {
			if (++depth > MAX_COMMENT_DEPTH)
				return false;
		} else if (*s->p == ')' && --depth == 0) {
			s->p++;
			return true;
		}
	}
	return false;
}

/* At the opening quote or bracket: to behind the closing one. */
static enum token scan_until(struct scanner *s, char close, enum token token)
{
	const char open = *s->p;

	for (s->p++; s->p < s->end && !is_control(*s->p); s->p++) {
		if (*s->p == '\\') {
			if (++s->p == s->end || is_control(*s->p))
				return T_BAD;
		} else if (*s->p == close) {
			s->p++;
			return token;
		} else if (*s->p == open) {
			return T_BAD; /* "[" in "[…]" */
		}
	}
	return T_BAD;
}

static void next(struct scanner *s)
{
	while (s->p < s->end && (is_blank(*s->p) || *s->p == '(')) {
		if (is_blank(*s->p)) {
			s->p++;
		} else if (!skip_comment(s)) {
			s->token = T_BAD;
			return;
		}
	}
	s->text = s->p;
	if (s->p == s->end) {
		s->token = T_END;
	} else if (*s->p == '"') {
		s->token = scan_until(s, '"', T_QUOTED);
	} else if (*s->p == '[') {
		s->token = scan_until(s, ']', T_LITERAL);
	} else if (is_atext(*s->p)) {
		while (s->p < s->end && is_atext(*s->p))
			s->p++;
		s->token = T_ATOM;
	} else if (*s->p != '\0' && strchr(".@<>,:;", *s->p) != NULL) {
		s->p++;
		s->token = T_SPECIAL;
	} else {
		s->token = T_BAD;
	}
	s->len = (size_t)(s->p - s->text);
}

static bool is_special(const struct scanner *s, char c)
{
	return s->token == T_SPECIAL && *s->text == c;
}

static bool is_word(const struct scanner *s)
{
	return s->token == T_ATOM || s->token == T_QUOTED;
}

/* Appends the token; text that does not fit leaves SIZE_MAX in *len. */
static void append(char *out, size_t size, size_t *len, const struct scanner *s)
{
	if (*len == SIZE_MAX || s->len >= size - *len) {
		*len = SIZE_MAX;
		return;
	}
	memcpy(out + *len, s->text, s->len);
	*len += s->len;
	out[*len] = '\0';
}

static bool is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

/* Lower case, letters, digits, "-" and "_", labels of 1 to 63. */
static bool check_domain(char *domain)
{
	size_t label = 0;
	char *p;

	for (p = domain; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
		if (*p == '.') {
			if (label == 0 || p[-1] == '-')
				return false;
			label = 0;
		} else if (!is_label_char(*p) || (*p == '-' && label == 0) ||
			   ++label > 63) {
			return false;
		}
	}
	return label > 0 && p[-1] != '-';
}

/* At what follows the "@". */
static enum roost_from_result parse_domain(struct scanner *s,
					   struct roost_from_address *from,
					   size_t *address_len)
{
	size_t len = 0;

	if (s->token == T_LITERAL)
		return ROOST_FROM_LITERAL;
	from->domain[0] = '\0';
	for (;;) {
		if (s->token != T_ATOM)
			return ROOST_FROM_SYNTAX;
		append(from->domain, sizeof(from->domain), &len, s);
		append(from->address, sizeof(from->address), address_len, s);
		next(s);
		if (!is_special(s, '.'))
			break;
		append(from->domain, sizeof(from->domain), &len, s);
		append(from->address, sizeof(from->address), address_len, s);
		next(s);
	}
	return len != SIZE_MAX && check_domain(from->domain)
		       ? ROOST_FROM_OK
		       : ROOST_FROM_BAD_DOMAIN;
}

/* What may stand behind an address. */
static bool ends_mailbox(const struct scanner *s)
{
	return s->token == T_END || is_special(s, ',') || is_special(s, ';') ||
	       is_special(s, '>');
}

/* local-part "@" domain; at its first word. */
static enum roost_from_result parse_addr_spec(struct scanner *s,
					      struct roost_from_address *from)
{
	enum roost_from_result result;
	size_t len = 0;

	from->address[0] = '\0';
	for (;;) {
		if (!is_word(s))
			return ROOST_FROM_SYNTAX;
		append(from->address, sizeof(from->address), &len, s);
		next(s);
		if (!is_special(s, '.'))
			break;
		append(from->address, sizeof(from->address), &len, s);
		next(s);
	}
	if (!is_special(s, '@'))
		return ends_mailbox(s) ? ROOST_FROM_NO_DOMAIN
				       : ROOST_FROM_SYNTAX;
	append(from->address, sizeof(from->address), &len, s);
	next(s);
	result = parse_domain(s, from, &len);
	if (len == SIZE_MAX)
		from->address[0] = '\0';
	return result;
}

static enum roost_from_result parse_angle(struct scanner *s,
					  struct roost_from_address *from)
{
	enum roost_from_result result;

	next(s);
	result = parse_addr_spec(s, from);
	if (result == ROOST_FROM_NO_DOMAIN && !is_special(s, '>'))
		return ROOST_FROM_SYNTAX;
	if (result == ROOST_FROM_OK) {
		if (!is_special(s, '>'))
			return ROOST_FROM_SYNTAX;
		next(s);
	}
	return result;
}

/* Past the words and dots of a display name. */
static void skip_phrase(struct scanner *s)
{
	while (is_word(s) || is_special(s, '.'))
		next(s);
}

/* One mailbox: addr-spec, or [display name] "<" addr-spec ">". */
static enum roost_from_result parse_mailbox(struct scanner *s,
					    struct roost_from_address *from)
{
	struct scanner start = *s;

	skip_phrase(s);
	if (is_special(s, '<'))
		return parse_angle(s, from);
	*s = start;
	return parse_addr_spec(s, from);
}

struct reading {
	struct roost_from_address *from; /* of the first address */
	unsigned int count;
};

static enum roost_from_result read_mailbox(struct scanner *s, struct reading *r)
{
	struct roost_from_address other;
	struct roost_from_address *from = r->count == 0 ? r->from : &other;
	enum roost_from_result result = parse_mailbox(s, from);

	if (result != ROOST_FROM_OK)
		return result;
	if (++r->count > MAX_ADDRESSES)
		return ROOST_FROM_SYNTAX;
	if (strcmp(from->domain, r->from->domain) != 0)
		return ROOST_FROM_AMBIGUOUS;
	return ROOST_FROM_OK;
}

/* mailbox *("," mailbox), empty elements allowed, up to `close` or the end */
static enum roost_from_result read_list(struct scanner *s, struct reading *r,
					bool in_group);

/* Whether a group ("name:") starts here; if so, to behind its colon. */
static bool enter_group(struct scanner *s)
{
	struct scanner start = *s;

	if (is_word(s)) {
		skip_phrase(s);
		if (is_special(s, ':')) {
			next(s);
			return true;
		}
	}
	*s = start;
	return false;
}

static enum roost_from_result read_element(struct scanner *s, struct reading *r,
					   bool in_group)
{
	enum roost_from_result result;

	if (in_group || !enter_group(s))
		return read_mailbox(s, r);
	result = read_list(s, r, true);
	if (result == ROOST_FROM_OK)
		next(s); /* the ";" */
	return result;
}

static enum roost_from_result read_list(struct scanner *s, struct reading *r,
					bool in_group)
{
	enum roost_from_result result;

	for (;;) {
		while (is_special(s, ','))
			next(s);
		if (in_group ? is_special(s, ';') : s->token == T_END)
			return ROOST_FROM_OK;
		result = read_element(s, r, in_group);
		if (result != ROOST_FROM_OK)
			return result;
		if (!is_special(s, ',') && s->token != T_END &&
		    !(in_group && is_special(s, ';')))
			return ROOST_FROM_SYNTAX;
		if (in_group && s->token == T_END)
			return ROOST_FROM_SYNTAX;
	}
}

enum roost_from_result
roost_from_address_parse(const char *value, size_t len,
			 struct roost_from_address *from_r)
{
	struct scanner s = { .p = value, .end = value + len };
	struct reading r = { .from = from_r };
	enum roost_from_result result;

	next(&s);
	result = read_list(&s, &r, false);
	if (result == ROOST_FROM_OK && r.count == 0)
		return ROOST_FROM_EMPTY;
	return result;
}

const char *roost_from_address_result(enum roost_from_result result)
{
	switch (result) {
	case ROOST_FROM_OK:
		return "ok";
	case ROOST_FROM_EMPTY:
		return "From has no address";
	case ROOST_FROM_SYNTAX:
		return "From is no address list";
	case ROOST_FROM_NO_DOMAIN:
		return "From address has no domain";
	case ROOST_FROM_LITERAL:
		return "From address is an address literal";
	case ROOST_FROM_BAD_DOMAIN:
		return "From domain is no host name";
	case ROOST_FROM_AMBIGUOUS:
		return "From names several domains";
	}
	return "unknown";
}
