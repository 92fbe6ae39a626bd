"""Makes the SDK reach a gateway that is not on port 80 or 443.

alipay-sdk-python 3.7.1411 takes no port from the gateway's address, so what it connects to is changed below it. Not part of
what a user deploys: the real gateway is on port 443, and without a port in the address this module is not imported.
"""

import socket


def lead_connections(host, port):
    """Leads connections to ports 80 and 443 of `host` to `port`."""
    connect = socket.create_connection

    def led(address, *arguments, **options):
        if address[0] == host and address[1] in (80, 443):
            address = (host, port)
        return connect(address, *arguments, **options)

    socket.create_connection = led
