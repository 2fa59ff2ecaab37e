"""Word count as people would write it: two processes with a dict each, one for each half of the file."""

import multiprocessing
import os
import sys


def count(path, begin, end):
    """Counts the words of the lines that begin at the bytes from begin to end."""
    counts = {}
    with open(path, "rb") as lines:
        if begin > 0:
            lines.seek(begin - 1)
            lines.readline()
        at = lines.tell()
        for line in lines:
            if at >= end:
                break
            at += len(line)
            for word in line.decode().split():
                counts[word] = counts.get(word, 0) + 1
    return counts


def main():
    path = sys.argv[1]
    size = os.path.getsize(path)
    with multiprocessing.Pool(2) as pool:
        total, other = pool.starmap(count, [(path, 0, size // 2), (path, size // 2, size)])
    for word, n in other.items():
        total[word] = total.get(word, 0) + n
    for word in sorted(total):
        print(word, total[word], sep="\t")


if __name__ == "__main__":
    main()
