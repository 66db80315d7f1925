"""What a user's module beside the plan may hold."""


def passes(context):
    return context.output == context.expected


async def later(context):
    return 0.75, f"case {context.case_id}"


def answer(context):
    return context.variables["answer"]


class Callable:
    def __call__(self, context):
        return True


instance = Callable()
