/** A list, and beside it what is open. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useSay } from './settings.tsx';

/** Below it, what is open lies over the list. */
const narrow = matchMedia('(max-width: 1099px)');

function useNarrow(): boolean {
  const [is, setIs] = useState(narrow.matches);
  useEffect(() => {
    const follow = () => setIs(narrow.matches);
    narrow.addEventListener('change', follow);
    return () => narrow.removeEventListener('change', follow);
  }, []);
  return is;
}

/** A list with what is open beside it, or over it where there is no room. */
export function ListAndPanel({ list, panel }: { list: ComponentChildren; panel: ComponentChildren }) {
  const covered = useNarrow() && panel !== undefined;
  return (
    <div class={panel === undefined ? 'split' : 'split split-open'}>
      <div class="split-list" inert={covered}>
        {list}
      </div>
      {panel}
    </div>
  );
}

/** What is open: takes the focus, and gives it back to the link that opened it. */
export function Panel(props: { title: string; backTo: string; opened: string; children: ComponentChildren }) {
  const { title, backTo, opened, children } = props;
  const say = useSay();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
  }, [opened]);
  useEffect(() => {
    const close = (event: KeyboardEvent) => {
      if (event.key === 'Escape') location.hash = backTo;
    };
    addEventListener('keydown', close);
    return () => removeEventListener('keydown', close);
  }, [backTo]);
  const last = useRef(opened);
  last.current = opened;
  useEffect(
    () => () => {
      const link = document.querySelector<HTMLElement>(`a[href="${CSS.escape(last.current)}"]`);
      // When the list can take the focus again.
      setTimeout(() => link?.focus({ preventScroll: true }));
    },
    [],
  );
  return (
    <section class="panel" aria-label={title}>
      <div class="panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <a class="button quiet" href={backTo}>
          {say('close')}
        </a>
      </div>
      {children}
    </section>
  );
}
