"""Rows of CSV: the names of the header, and the fields of a row as a dict.

The rules are those of Python's csv module with strict=True. docs/csv.md explains them.
"""

from csv import Error, field_size_limit, reader

from .failures import BadRecord, preview


def columns(header, url):
    """Returns the names of the columns."""
    if not header:
        raise BadRecord("%s has no header" % url)
    try:
        names = row_of(header)
    except BadRecord as err:
        raise BadRecord("the header of %s is not a row of CSV: %s" % (url, err)) from None
    if len(set(names)) < len(names):
        _fail_for_twins(names, url)
    return names


def _fail_for_twins(names, url):
    """Raises an error about the first column whose name occurs twice."""
    first = {}
    for i, name in enumerate(names):
        if name in first:
            what = "have no name" if name == "" else "have the same name, %s" % preview(name)
            raise BadRecord(
                "columns %d and %d of %s %s: a row would lose one of the two; give each column its own name"
                % (first[name] + 1, i + 1, url, what)
            )
        first[name] = i


def decoder(names, ends):
    """Returns a function that makes a dict of a row's text; ends says that rows may contain a CR or LF."""

    def decode(text):
        if '"' in text or ends and ("\r" in text or "\n" in text):
            try:
                row = row_of(text)
            except BadRecord as err:
                raise BadRecord("the record is not CSV: %s" % err) from None
        else:
            row = text.split(",")
        if len(row) != len(names):
            raise BadRecord("the record has %d fields, the header has %d" % (len(row), len(names)))
        return dict(zip(names, row))

    return decode


def row_of(text):
    """Returns the fields of one row.

    The executor ends rows as Python does, except that a CR outside quotes doesn't end a row. So the
    reader gets the whole text as one line, and fails if it has more than one row.
    """
    try:
        return next(reader((text,), strict=True))
    except Error as err:
        failed = err
    limit = field_size_limit()
    if len(text) > limit:
        field_size_limit(len(text))
        try:
            return next(reader((text,), strict=True))
        except Error as err:
            failed = err
        finally:
            field_size_limit(limit)
    raise BadRecord(_fault(text) or str(failed))


def _fault(text):
    """Returns the error if the row's only fault is a CR outside quotes, otherwise None."""
    try:
        # A comma has the effect of a row's end, except that it doesn't end the row.
        next(reader((text.replace("\r", ","),), strict=True))
    except Error:
        return None
    return (
        "a carriage return (CR) outside quotes, which may or may not be meant to end the row: "
        "quote the field, or end rows with LF or CRLF"
    )
