// A source of the framework, as the builder compiles it: with its own flags.
int framework_source;
