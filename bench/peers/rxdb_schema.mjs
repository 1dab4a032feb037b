// The tasks' schema. The devices' own fields of the contention are named too: RxDB knows no others.
const text = { type: 'string' };
const own = Object.fromEntries(Array.from({ length: 8 }, (_, number) => [`device${number}`, text]));

export const schema = {
  version: 0,
  primaryKey: 'id',
  type: 'object',
  properties: {
    id: { type: 'string', maxLength: 128 },
    description: text,
    status: text,
    tags: { type: 'array', items: text },
    entry: text,
    modified: text,
    project: text,
    priority: text,
    turn: { type: 'integer' },
    ...own,
  },
  required: ['id'],
};
