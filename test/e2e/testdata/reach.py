"""Tells what a program can reach from where it runs."""

import os
import socket


def can(what):
    try:
        what()
    except OSError:
        return False
    return True


def connect(host, port):
    socket.create_connection((host, port), 2).close()


def map_fn(value):
    executor = os.getppid()
    with open("/proc/self/status") as f:
        status = dict(line.split(":", 1) for line in f if ":" in line)
    yield ("user", os.getuid())
    yield ("capabilities", int(status["CapPrm"], 16))
    for name, what in {
        "environment": lambda: open("/proc/%d/environ" % executor).read(),
        "memory": lambda: open("/proc/%d/mem" % executor, "rb"),
        "descriptors": lambda: os.listdir("/proc/%d/fd" % executor),
        "signals": lambda: os.kill(executor, 0),
        "metadata service": lambda: connect("169.254.169.254", 80),
        "controller": lambda: connect("controller", 8080),
        "its own folder": lambda: open("mine", "w"),
    }.items():
        yield (name, can(what))
