"""The front of the laptop's AWS emulator: it lets only signed requests of this start's own keys through.

The emulator itself answers everybody who reaches its port, web pages too, and takes several keys for the account's
owner without checking a signature. The front runs in the emulator's process, as ASGI middleware around its application.
It needs nothing that is not in the emulator's environment already.
"""
