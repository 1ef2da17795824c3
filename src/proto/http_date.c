/*
 * The dates of HTTP (RFC 9110 5.6.7). gmtime_r and strptime would take glibc's time zone lock and
 * read the locale; a Gregorian calendar of our own is shorter than the guard against either.
 */
#include "proto/http.h"

static const char *const weekdays[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

struct date {
	int year, month, day; /* month and day from 1 */
	int hour, minute, second;
};

enum { DAY_SECONDS = 24 * 60 * 60 };

/* Days from 1970-01-01 to this one. The year begins in March here, so that the leap day is its last. */
static int64_t
days_to(int64_t year, int month, int day)
{
	int64_t shifted = month <= 2 ? year - 1 : year;
	int since_march = month <= 2 ? month + 9 : month - 3;
	return 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + (153 * since_march + 2) / 5 + day - 1 - 719468;
}

static struct date
date_of(int64_t days)
{
	int64_t year = 1970 + days * 400 / 146097;
	int month = 12;

	while (days_to(year, 1, 1) > days)
		year--;
	while (days_to(year + 1, 1, 1) <= days)
		year++;
	while (days_to(year, month, 1) > days)
		month--;
	return (struct date){ .year = (int)year, .month = month, .day = (int)(days - days_to(year, month, 1)) + 1 };
}

static char *
put_digits(char *out, int number, int digits)
{
	for (int i = digits - 1; i >= 0; i--, number /= 10)
		out[i] = (char)('0' + number % 10);
	return out + digits;
}

static char *
put_text(char *out, const char *text, size_t len)
{
	memcpy(out, text, len);
	return out + len;
}

const char *
http_format_date(int64_t seconds, char out[static 30])
{
	/* What four digits of a year can say. */
	const int64_t first = days_to(1, 1, 1) * DAY_SECONDS, end = days_to(10000, 1, 1) * DAY_SECONDS;
	int64_t when = seconds < first ? first : seconds >= end ? end - 1 : seconds;
	int64_t since_first = when - first;
	int64_t days = since_first / DAY_SECONDS + days_to(1, 1, 1);
	int rest = (int)(since_first % DAY_SECONDS);
	struct date date = date_of(days);
	/* 0001-01-01 was a Monday. */
	char *at = put_text(out, weekdays[(since_first / DAY_SECONDS + 1) % 7], 3);

	at = put_text(at, ", ", 2);
	at = put_digits(at, date.day, 2);
	*at++ = ' ';
	at = put_text(at, months[date.month - 1], 3);
	*at++ = ' ';
	at = put_digits(at, date.year, 4);
	*at++ = ' ';
	at = put_digits(at, rest / 3600, 2);
	*at++ = ':';
	at = put_digits(at, rest / 60 % 60, 2);
	*at++ = ':';
	at = put_digits(at, rest % 60, 2);
	put_text(at, " GMT", sizeof(" GMT"));
	return out;
}

static bool
take_text(struct slice *text, const char *wanted, size_t len)
{
	if (text->len < len || memcmp(text->data, wanted, len) != 0)
		return false;
	text->data += len;
	text->len -= len;
	return true;
}

static bool
take_digits(struct slice *text, size_t digits, int *out)
{
	uint64_t number;
	if (text->len < digits || text_number((struct slice){ text->data, digits }, 0, 9999, &number) == -1)
		return false;
	*out = (int)number;
	text->data += digits;
	text->len -= digits;
	return true;
}

static bool
take_weekday(struct slice *text, bool whole)
{
	for (size_t i = 0; i < 7; i++)
		if (take_text(text, weekdays[i], whole ? strlen(weekdays[i]) : 3))
			return true;
	return false;
}

static bool
take_month(struct slice *text, int *month)
{
	for (int i = 0; i < 12; i++) {
		if (take_text(text, months[i], 3)) {
			*month = i + 1;
			return true;
		}
	}
	return false;
}

/*
 * Two digits mean 1970 to 2069. The RFC has this window slide with the clock, which is not known
 * here; the form was obsolete before 2000.
 */
static bool
take_short_year(struct slice *text, int *year)
{
	if (!take_digits(text, 2, year))
		return false;
	*year += *year < 70 ? 2000 : 1900;
	return true;
}

/* One conversion of a FORM below; the letters are those of strptime(3). */
static bool
take_part(struct slice *text, char part, struct date *date)
{
	switch (part) {
	case 'a':
		return take_weekday(text, false);
	case 'A':
		return take_weekday(text, true);
	case 'b':
		return take_month(text, &date->month);
	case 'd':
		return take_digits(text, 2, &date->day);
	case 'e':
		return take_digits(text, take_text(text, " ", 1) ? 1 : 2, &date->day);
	case 'H':
		return take_digits(text, 2, &date->hour);
	case 'M':
		return take_digits(text, 2, &date->minute);
	case 'S':
		return take_digits(text, 2, &date->second);
	case 'y':
		return take_short_year(text, &date->year);
	default:
		return take_digits(text, 4, &date->year);
	}
}

static bool
date_matches(struct slice text, const char *form, struct date *date)
{
	for (; *form != 0; form++) {
		if (*form != '%' && !take_text(&text, form, 1))
			return false;
		if (*form == '%' && !take_part(&text, *++form, date))
			return false;
	}
	return text.len == 0;
}

static bool
date_exists(const struct date *date)
{
	int64_t days = days_to(date->year, date->month, date->day);
	struct date same;

	/* :60 is a leap second, RFC 9110 5.6.7 */
	if (date->year < 1 || date->day < 1 || date->hour > 23 || date->minute > 59 || date->second > 60)
		return false;
	same = date_of(days);
	return same.month == date->month && same.day == date->day;
}

int
http_parse_date(struct slice text, int64_t *seconds)
{
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT",
		"%a %b %e %H:%M:%S %Y",
	};
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct date date = { 0 };
		if (!date_matches(text, forms[i], &date) || !date_exists(&date))
			continue;
		int rest = date.hour * 3600 + date.minute * 60 + date.second;
		*seconds = days_to(date.year, date.month, date.day) * DAY_SECONDS + rest;
		return 0;
	}
	return -1;
}
