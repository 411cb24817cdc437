"""How well a served model translates text as people write it: altered copies of a held-out file, and single cases."""
