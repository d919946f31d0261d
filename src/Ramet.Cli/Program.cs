using Ramet.Cli;

StartupTrace.Mark("runtime started");
return CommandLine.Run(args);
