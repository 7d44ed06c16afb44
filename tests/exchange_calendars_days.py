"""The sessions of XKRX as exchange_calendars has them: a line of JSON, [[date, open, close], ...] in Korean time."""

import json

import exchange_calendars

schedule = exchange_calendars.get_calendar("XKRX", start="2015-01-01", end="2027-12-31").schedule
hours = [schedule[side].dt.tz_convert("Asia/Seoul").dt.strftime("%H:%M:%S") for side in ("open", "close")]
print(json.dumps([[str(day.date()), opening, close] for day, opening, close in zip(schedule.index, *hours)]))
