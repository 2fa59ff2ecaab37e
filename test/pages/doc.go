// Package pages runs what the project's pages say. A page is Markdown; each of its console
// blocks is a terminal session, in which lines that begin with "$ " are commands and the
// lines after them are what the commands print:
//
//	```console
//	$ bucketmill run wordcount --input LICENSE --output out/words
//	job       01m8g8fk67kvy1sh9tm3nh98vq  wordcount  COMPLETED in 77ms
//	…
//	```
//
// A command goes on in the next line where bash would ask for one: after a backslash, within
// quotes, in a here document. All blocks of a page are one session of bash, in a fresh copy of
// the repository. A page is right when every command succeeds and prints what stands there.
//
// What differs from run to run is compared by its form alone: see Normal. The rest must be
// the same, character for character. A line that is "…" stands for any lines. Lines that
// report progress or downloads are left out of what a command prints, see transient.
//
// A command that ends with "&" is a server: the next command waits until 127.0.0.1:8080
// answers at /readyz. That address stands for a free one. What a server prints is not compared.
//
// A comment before a block says where it runs, if it is not run with the others:
//
//	<!-- console: docker -->             by the tests of test/e2e
//	<!-- console: not run: REASON -->    nowhere
package pages
