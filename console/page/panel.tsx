/** A list, and the panel with the open item beside it. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useSay } from './settings.tsx';

/** In a window of this width or less, the panel covers the list. */
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

/** The open item. It takes the focus, and gives it back to the link that opened it. */
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
      // Later, because the list cannot take the focus while it is inert.
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
