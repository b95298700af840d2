import { describe, expect, it } from 'vitest'
import { named, Sweep } from './sweep.svelte.ts'

describe('a sweep', () => {
  it('goes from page to page and says how many it was', async () => {
    const asked: (string | undefined)[] = []
    const done = await new Sweep().run('Retrying', async (cursor) => {
      asked.push(cursor)
      return { done: 100, cursor: cursor === undefined ? 'a' : undefined }
    })
    expect([done, asked]).toEqual([200, [undefined, 'a']])
  })

  it('stops after the page that runs', async () => {
    const sweep = new Sweep()
    const done = await sweep.run('Deleting', async () => {
      sweep.stop()
      return { done: 7, cursor: 'more' }
    })
    expect([done, sweep.running]).toEqual([7, undefined])
  })

  it('takes what is named in parts', async () => {
    const parts: string[][] = []
    await new Sweep().run(
      'Canceling',
      named(['a', 'b', 'c'], 2, async (some) => {
        parts.push(some)
        return some.length
      }),
    )
    expect(parts).toEqual([['a', 'b'], ['c']])
  })
})
