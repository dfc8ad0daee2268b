"""What a connector has to live through, in virtual time: scenarios by seed, and what must hold after each of them.

    python -m perpwire.scenarios --seeds 200          everything that there is, for 200 seeds
    python -m perpwire.scenarios cut_sockets --venue bybit --first 17 --seeds 1 -v
    python -m perpwire.scenarios lost_response --sockets --seeds 3     over loopback sockets, in real time

A scenario is a function that does things with a Run (run.py): a connector, its exchange, their faults and a random
generator. After it all faults are lifted, everything gets time to settle, and invariants.py says what does not hold.
To add one: write it in a module of this package that ends up in MODULES, and mark it with @scenario.
"""
