"""Rows from elsewhere: a CSV file into people, courses, interactions or live sessions.

`running.import_file` is the one way in. Its parts, in the order in which a row meets them:

decoding      which encoding the file has, and its fingerprint
lines         bytes to records of cells, each with its line and the byte after it
columns       the header, mapped to the columns of the target
cells         one text to one checked value
users, courses, interactions, sessions      the targets: what their columns are, how they store
matched_rows  rows found again by (import_source, external_id)
progress      how far the file came, moved in the transaction that stores the rows
refused       what was not taken, by line and reason
"""
