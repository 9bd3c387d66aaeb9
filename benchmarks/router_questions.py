"""Questions of three kinds, twenty of each, for whoever decides where one goes. Written by hand, not by the recipe.

They are what people would ask `pony`: about Paddock's commands (`general`), sums (`fast`), stories (`creative`), the
words that it was trained to choose from. Some are put in ways that its training does not have; none was left out because it
went wrong.
"""

from collections.abc import Mapping, Sequence
from typing import Final

QUESTIONS: Final[Mapping[str, Sequence[str]]] = {
    "general": (
        "How do I download a model?",
        "Which command starts the server?",
        "How can I see which models are on my disk?",
        "What does `paddock plan` do?",
        "How do I remove a model I no longer need?",
        "Can you tell me how to unload a model from memory?",
        "How do I stop the server?",
        "Where are my settings kept?",
        "How do I change the port that Paddock listens on?",
        "How do I check whether a model will fit into memory?",
        "What is the command to search for models?",
        "How do I keep a model loaded all the time?",
        "How do I make an alias for a model?",
        "How do I free disk space?",
        "How can I resume a download that broke off?",
        "How do I set the default model?",
        "Which models are in memory right now, and how do I list them?",
        "How do I verify that a model's files are intact?",
        "How do I use Paddock with the OpenAI client?",
        "What is the difference between pull and plan?",
    ),
    "fast": (
        "What is 3 plus 4?",
        "What is 12 minus 5?",
        "How much is 6 times 7?",
        "Add 9 and 8.",
        "What is 20 divided by 5?",
        "7 + 6 = ?",
        "Please compute 15 - 8.",
        "I have 5 apples and get 3 more. How many apples do I have?",
        "Subtract 4 from 11.",
        "What do you get when you multiply 3 by 9?",
        "What is the sum of 2, 4 and 6?",
        "Which is larger, 14 or 41?",
        "What is half of 18?",
        "If a pen costs 2 euros, what do 6 pens cost?",
        "Is 17 an even number?",
        "What is double 8?",
        "What number comes after 99?",
        "Calculate 8 + 8 + 8.",
        "Tom had 10 coins and lost 4. How many are left?",
        "What is 100 minus 1?",
    ),
    "creative": (
        "Tell me a story about a dragon.",
        "Write a short story about a girl and her dog.",
        "Can you tell me a bedtime story?",
        "Tell a story about a lost key.",
        "Write a tale of two friends in the forest.",
        "I would like to hear a story about a brave rabbit.",
        "Make up a story with a king and a frog.",
        "Write a story about the sea.",
        "Tell me a funny story about a cat.",
        "Once upon a time there was a little robot. Please go on.",
        "Write a fairy tale about a princess who likes to swim.",
        "Tell me a story in which it snows.",
        "Write me a story about a boy named Sam who finds a boat.",
        "Please invent a short tale about a wizard.",
        "A story about a garden, please.",
        "Tell my children a story about the moon.",
        "Write a little adventure about a pirate.",
        "Could you write a story with a happy end?",
        "Tell me about a day in the life of a mouse, as a story.",
        "Write a story about a train that is late.",
    ),
}
