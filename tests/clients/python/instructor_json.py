"""Instructor: a typed object out of a sentence, by a call of a function."""

import sys

import instructor
from openai import OpenAI
from pydantic import BaseModel


class Person(BaseModel):
    name: str
    age: int


client = instructor.from_openai(OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0), mode=instructor.Mode.TOOLS)
person = client.create(
    model="pony",
    response_model=Person,
    messages=[{"role": "user", "content": "Anna is 31 years old."}],
    temperature=0,
    max_tokens=100,
    max_retries=0,
)
assert isinstance(person, Person), person
assert isinstance(person.age, int), person
print("done")
