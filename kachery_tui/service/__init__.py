"""The running node for the other programs of this machine: HTTP/1.1 and JSON on a Unix socket (API.md, beside this file).

`finding` and `client` are the callers' side, and import little: a command is to be done in less time than a node takes to
start. The rest is the node's side.
"""
