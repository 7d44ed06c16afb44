"""A published client of KIS against a venue on loopback: logs in, subscribes, keeps every record it is given.

python_clients.py CLIENT REST WS LEDGER APP_KEY APP_SECRET CODE...

Ends when its standard input does, then holds what it got against the ledger of the venue, record for record and in order,
and prints one line of JSON.
"""

import json
import sys
import threading
import time

client, rest, ws, ledger, app_key, app_secret, *codes = sys.argv[1:]
WIDTHS = {"H0STCNT0": 46, "H0STASP0": 59}


def sent():
    """(TR, fields) of each record of the ledger."""
    records = []
    with open(ledger, encoding="ascii") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            text = line.rstrip("\n").split("\t")[2]
            _, tr, count, payload = text.split("|", 3)
            fields, width = payload.split("^"), WIDTHS[tr]
            assert len(fields) == width * int(count), text
            records += [(tr, fields[at : at + width]) for at in range(0, len(fields), width)]
    return records


def until_the_end(count):
    """Standard input ends after the venue; then the last records are waited for."""
    sys.stdin.read()
    last = -1
    while last != count():
        last = count()
        time.sleep(0.5)


def python_kis():
    import pykis.client.websocket
    import pykis.kis

    pykis.kis.REAL_DOMAIN = pykis.kis.VIRTUAL_DOMAIN = rest
    pykis.client.websocket.WEBSOCKET_REAL_DOMAIN = pykis.client.websocket.WEBSOCKET_VIRTUAL_DOMAIN = ws
    kis = pykis.kis.PyKis(id="someone", account="00000000-01", appkey=app_key, secretkey=app_secret, keep_token=False)
    # What is asked for while it is connecting gets lost in the client itself.
    kis.websocket.ensure_connected(timeout=20)
    return kis


def with_python_kis():
    kis = python_kis()
    received = []
    names = {"KisDomesticRealtimePrice": "H0STCNT0", "KisDomesticRealtimeOrderbook": "H0STASP0"}

    def keep(_, event):
        response = event.response
        received.append((names[type(response).__name__], list(response.__data__)))

    # Tickets that are collected take their registrations with them.
    tickets, facts = [], []
    for code in codes:
        stock = kis.stock(code)
        facts.append(stock.name)
        tickets += [stock.on("price", keep), stock.on("orderbook", keep)]
    until_the_end(lambda: len(received))
    return facts, received, sent()


def with_python_kis_notices():
    """Executions of its account: symbol, price and quantity of each notice."""
    received = []

    def keep(_, event):
        told = event.response
        received.append([told.symbol, float(told.price), int(told.executed_quantity)])

    ticket = python_kis().account().on("execution", keep)
    until_the_end(lambda: len(received))
    values = {"H0STCNI0": ["005930", 70000.0, 10], "H0GSCNI0": ["AAPL", 148.01, 10]}
    with open(ledger, encoding="ascii") as lines:
        texts = [line.split("\t")[2] for line in lines if not line.startswith("#")]
    return [str(ticket is not None)], received, [values[text.split("|")[1]] for text in texts]


def with_mojito():
    import mojito.koreainvestment as mojito
    import websockets

    class Venue:
        connect = staticmethod(lambda _, **options: websockets.connect(ws, **options))

    mojito.KoreaInvestment.set_base_url = lambda self, mock=True: setattr(self, "base_url", rest)
    mojito.websockets = Venue
    broker = mojito.KoreaInvestment(app_key, app_secret, "00000000-01")
    facts = [broker.fetch_price(code)["output"]["stck_prpr"] for code in codes]
    feed = mojito.KoreaInvestmentWS(app_key, app_secret, list(WIDTHS), codes)
    feed.base_url = rest
    feed.start()
    received = []

    def drain():
        while True:
            received.append(feed.queue.get())

    threading.Thread(target=drain, daemon=True).start()
    until_the_end(lambda: len(received))
    # It gives a dictionary by names of its own, some of them twice.
    kinds = {"H0STCNT0": ("체결", mojito.execution_items), "H0STASP0": ("호가", mojito.orderbook_items)}
    expected = [(kinds[tr][0], dict(zip(kinds[tr][1], fields))) for tr, fields in sent()]
    return facts, [tuple(item) for item in received], expected


CLIENTS = {"python-kis": with_python_kis, "python-kis notices": with_python_kis_notices, "mojito2": with_mojito}
facts, received, expected = CLIENTS[client]()
same = sum(1 for one, other in zip(received, expected) if one == other)
first = next((pair for pair in zip(received, expected) if pair[0] != pair[1]), None)
told = {"facts": facts, "received": len(received), "sent": len(expected), "same": same, "first_difference": first}
print(json.dumps(told, ensure_ascii=False), flush=True)
