// The form in Streamlit's sidebar: closed for the sake of the stage, by the buttons that a person has.

const CLOSE = '[data-testid="stSidebarCollapseButton"] button', OPEN = '[data-testid="stExpandSidebarButton"]';
const PHONE = 768; // px of the window's width below which the form lies over the page

export class SideForm {
  constructor() {
    this.reason = "";
    this.wasClosed = false;
  }

  // Closes the form when there is a new reason, and opens it again where this closed it and no reason is left.
  shut(reason) {
    if (reason === this.reason) return;
    this.reason = reason;
    if (reason) {
      const button = document.querySelector(CLOSE);
      if (button && !document.querySelector(OPEN)) {
        button.click();
        this.wasClosed = true;
      }
    } else if (this.wasClosed && window.innerWidth >= PHONE) {
      this.wasClosed = false;
      document.querySelector(OPEN)?.click();
    }
  }
}
