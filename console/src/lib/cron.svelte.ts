/** Cron expressions as schedules hold them: the zone stands in front, `CRON_TZ=Europe/Berlin 30 7 * * 1-5`. */
export interface Cron {
  fields: string
  /** Empty where none is named: the fields are UTC. */
  zone: string
}

export function splitCron(text: string): Cron {
  const found = /^(?:CRON_)?TZ=(\S+)\s+(.*)$/.exec(text.trim())
  return found ? { zone: found[1] ?? '', fields: found[2] ?? '' } : { zone: '', fields: text.trim() }
}

export const joinCron = ({ fields, zone }: Cron): string => (zone ? `CRON_TZ=${zone} ${fields.trim()}` : fields.trim())

type Describe = (fields: string) => string

/** Expressions in words. What says them is loaded when the first is asked for. */
class Words {
  #describe = $state.raw<Describe | undefined>(undefined)
  #loading = false

  /** "At 07:30, Monday through Friday"; undefined until it can be said, and for what has no words. */
  of(fields: string): string | undefined {
    void this.#load()
    try {
      return this.#describe?.(fields)
    } catch {
      return undefined
    }
  }

  async #load(): Promise<void> {
    if (this.#loading) return
    this.#loading = true
    try {
      const { default: cronstrue } = await import('cronstrue')
      this.#describe = (fields) => cronstrue.toString(fields, { use24HourTimeFormat: true })
    } catch {
      // Without words the expression itself is still shown; the next one tries again.
      this.#loading = false
    }
  }
}

export const words = new Words()
