"""Joins two inputs: what each user bought, with the plan that the user has.

    bucketmill run examples/join.py --format csv --input events/ --input plans.csv --output bought/

Events have the columns timestamp, user, action and amount; plans.csv has user and plan. Output:
plan, tab, user, tab, amount, for every purchase. Users without a purchase are left out; a
purchase by a user without a plan has the plan "none".
"""


def map_fn(key, row):
    """INPUT is the URL of the file that the row comes from."""
    if INPUT.endswith("/plans.csv"):
        yield (row["user"], ("plan", row["plan"]))
    elif row["action"] == "purchase":
        yield (row["user"], ("purchase", row["amount"]))


def reduce_fn(user, values):
    plan, amounts = "none", []
    for side, value in values:
        if side == "plan":
            plan = value
        else:
            amounts.append(value)
    for amount in sorted(amounts):
        yield (plan, f"{user}\t{amount}")
