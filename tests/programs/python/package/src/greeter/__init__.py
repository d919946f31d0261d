import sys


def greet(name):
    return f"hello {name}"


def main():
    print(greet(sys.argv[1]))
