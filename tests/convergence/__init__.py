"""Many clients, many faults, one document: do they all end with the same, and is every edit accounted for?"""
