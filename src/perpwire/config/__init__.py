"""One file and the environment, from which a program of ours knows what to do: `load` in loading.py gives Settings."""
