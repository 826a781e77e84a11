"""The states of the program that the guide and the README show, each reached as a user would reach it."""
