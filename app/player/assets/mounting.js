// What Streamlit calls at each mount of a component, and for each message to it.

const mounted = new WeakMap(); // parent element -> component

// Component: a class made with the parent element, with receive(data, send) and close().
export function makeMount(Component) {
  return function ({ data, parentElement, setTriggerValue, setStateValue }) {
    let component = mounted.get(parentElement);
    if (!component) {
      component = new Component(parentElement);
      mounted.set(parentElement, component);
    }
    component.receive(data, { trigger: setTriggerValue, state: setStateValue });
    // Streamlit also calls this when newer data overtook a call: only what has left the page is over.
    return () => setTimeout(() => {
      if (parentElement.isConnected || mounted.get(parentElement) !== component) return;
      mounted.delete(parentElement);
      component.close();
    });
  };
}
